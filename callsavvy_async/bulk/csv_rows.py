"""Rows of CSV in the dialects that spreadsheets write: comma, semicolon, tab or bar, quoted or not."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from callsavvy_async.bulk.column_detection import has_usual_name
from callsavvy_async.bulk.file_lines import FileLines
from callsavvy_async.errors import InvalidRequestError

DELIMITERS = ",;\t|"

_QUOTED = re.compile('"[^"]*"')
_PHONE = re.compile(r"\+?\(?\d(?:[\s().\-]*\d){8,}")
_FEWEST_DIGITS = 6  # of a phone number (E.164)
_DELIMITER_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line by which Excel is told the delimiter."""


def csv_rows(lines: FileLines) -> Iterator[str | dict[str, str]]:
    """Yield rows: mappings by the header's names, or the bare cells of a single column without a header.

    Blank rows and columns without a name are passed over. A row that is shorter than the header is filled up with blanks.

    Raises:
        InvalidRequestError: naming the line: no header over several columns, a title where the header belongs, a name
            that occurs twice, a row longer than the header, a quote that is not closed.
    """
    delimiter = _take_delimiter(lines)
    rows = _filled_rows(lines, delimiter)
    header = [name.strip() for name in next(rows, ())]
    if not any(header):  # nothing but delimiters
        return
    if not (any(header[1:]) or _is_name(header[0])):
        yield header[0]
        for row in rows:
            yield _only_cell(row, lines)
        return
    _check_header(header, lines)
    may_be_title = not any(header[1:]) and not has_usual_name(header[0])
    for row in rows:
        if may_be_title and _has_several(row):
            raise _title_fault(header[0], lines)
        yield _by_name(header, row, lines)


def _take_delimiter(lines: FileLines) -> str:
    """Return the delimiter that the first line names, and take that line away; else the one that it holds most of."""
    first = lines.skip_to_content() or ""
    named = _DELIMITER_LINE.fullmatch(first.strip("\r\n "))
    if named:
        next(lines)
        return named.group(1)
    return max(DELIMITERS, key=_QUOTED.sub("", first).count)


def _filled_rows(lines: FileLines, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begin = lines.number + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise lines.fault(
                f"the row that begins here is no CSV ({error}); close its quotes, and double a quote inside quotes.",
                line=begin,
            ) from None
        if row is None:
            return
        if any(row):
            yield row


def _only_cell(row: list[str], lines: FileLines) -> str:
    if any(row[1:]):
        raise lines.fault(f"the row has {len(row)} cells where the first has one; add a header row with the names.")
    return row[0]


def _by_name(header: list[str], row: list[str], lines: FileLines) -> dict[str, str]:
    missing = len(header) - len(row)
    if missing > 0:
        row += [""] * missing
    elif any(row[len(header) :]):
        raise lines.fault(
            f"the row has {len(row)} cells and the header {len(header)}; quote a cell that holds the delimiter."
        )
    return {name: cell for name, cell in zip(header, row, strict=False) if name}


def _is_name(cell: str) -> bool:
    """Tell a column's name from data: what is taken for a name by mistake would be lost without a word."""
    return cell[:1].isalpha() and sum(map(str.isdecimal, cell)) < _FEWEST_DIGITS


def _has_several(row: list[str]) -> bool:
    return sum(map(bool, row)) > 1 or any(delimiter in row[0] for delimiter in DELIMITERS)


def _title_fault(title: str, lines: FileLines) -> InvalidRequestError:
    return lines.fault(
        f"the row has several cells, the first line of the file one, {title[:40]!r}: is it a title?"
        " Remove the lines above the names of the columns."
    )


def _check_header(header: list[str], lines: FileLines) -> None:
    if any(map(_PHONE.search, header)):
        raise lines.fault(
            "it holds a phone number where the names of the columns belong; write one number a line, or add a row such as"
            " phone,name."
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise lines.fault(f"the header names the column {twice[0]!r} twice; each column needs a name of its own.")
