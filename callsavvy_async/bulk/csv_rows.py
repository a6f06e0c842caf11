"""Read CSV in the dialects of spreadsheets: comma, semicolon, tab or bar, quoted or not."""

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
_MIN_DIGITS = 6
"""Fewest digits of a phone number (E.164)."""
_DELIMITER_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line of a file for Excel, which may name the delimiter."""


def csv_rows(lines: FileLines) -> Iterator[str | dict[str, str]]:
    """Yield rows as mappings by the header's names, or the cells of a single column without a header.

    Blank rows and columns without a name are skipped. A row shorter than the header is padded with blanks.

    Raises:
        InvalidRequestError: several columns have no header, a title precedes the header, a name occurs twice, a row is
            longer than the header, or a quote is not closed. The error names the line.
    """
    delimiter = _take_delimiter(lines)
    rows = _filled_rows(lines, delimiter)
    header = [name.strip() for name in next(rows, ())]
    if not any(header):  # delimiters only
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
    """Return the delimiter that a ``sep=`` line names, and skip that line; else the most frequent one of the first line."""
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
                f"the row that begins here is not valid CSV ({error}); close its quotes, and double a quote inside quotes.",
                line=begin,
            ) from None
        if row is None:
            return
        if any(row):
            yield row


def _only_cell(row: list[str], lines: FileLines) -> str:
    if any(row[1:]):
        raise lines.fault(
            f"the row has {len(row)} cells, but the first row has one; add a header row with the names of the columns."
        )
    return row[0]


def _by_name(header: list[str], row: list[str], lines: FileLines) -> dict[str, str]:
    missing = len(header) - len(row)
    if missing > 0:
        row += [""] * missing
    elif any(row[len(header) :]):
        raise lines.fault(
            f"the row has {len(row)} cells, but the header has {len(header)}; quote a cell that holds the delimiter."
        )
    return {name: cell for name, cell in zip(header, row, strict=False) if name}


def _is_name(cell: str) -> bool:
    """Return whether a cell is a column's name. Data mistaken for a name would be lost silently."""
    return cell[:1].isalpha() and sum(map(str.isdecimal, cell)) < _MIN_DIGITS


def _has_several(row: list[str]) -> bool:
    return sum(map(bool, row)) > 1 or any(delimiter in row[0] for delimiter in DELIMITERS)


def _title_fault(title: str, lines: FileLines) -> InvalidRequestError:
    return lines.fault(
        f"the row has several cells, but the first line of the file has one, {title[:40]!r}, which may be a title."
        " Remove the lines above the names of the columns."
    )


def _check_header(header: list[str], lines: FileLines) -> None:
    if any(map(_PHONE.search, header)):
        raise lines.fault(
            "the header row holds a phone number; write one number a line, or add a row with the names of the columns, as in"
            " phone,name."
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise lines.fault(f"the header names the column {twice[0]!r} twice; give each column a unique name.")
