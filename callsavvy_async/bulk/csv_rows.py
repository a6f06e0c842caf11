"""Read CSV in the dialects of spreadsheets: comma, semicolon, tab or bar, quoted or not."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from callsavvy_async.bulk.file_lines import FileLines
from callsavvy_async.bulk.header_rows import DELIMITERS, Cell, Table
from callsavvy_async.errors import InvalidRequestError

_QUOTED = re.compile('"[^"]*"')
_DELIMITER_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line of a file for Excel, which may name the delimiter."""


def csv_rows(lines: FileLines) -> Iterator[Sequence[str | Mapping[str, Cell]]]:
    """Yield rows as `named_rows` does, in blocks.

    Raises:
        InvalidRequestError: a row breaks a rule of `named_rows`, or a quote is not closed. The error names the line.
    """
    delimiter = _take_delimiter(lines)
    if delimiter != ",":
        lines.notes.append("delimited by tabs" if delimiter == "\t" else f"delimited by {delimiter!r}")

    def fault(rule: str) -> InvalidRequestError:
        return lines.fault(rule)

    table = Table.of(_filled_rows(lines, delimiter), fault)
    if table is None:
        return
    if table.first is not None:
        yield (table.first,)
    whole = partial(_block_of_rows, table=table, delimiter=delimiter)
    yield from lines.row_blocks(whole, lambda: map(table.row, _filled_rows(lines, delimiter)))


def _block_of_rows(lines: list[str], *, table: Table, delimiter: str) -> Sequence[str | Mapping[str, Cell]] | None:
    """Return the rows of lines, or None if one needs a closer look or the next block continues the last one."""
    try:
        return table.block(list(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return None


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
    begin = lines.number + 1
    try:
        for row in reader:
            if row and (row[0] or any(row)):
                yield row
            begin = lines.number + 1
    except csv.Error as error:
        is_large = "field limit" in str(error)  # of the csv module, for the whole process
        rule = (
            f"has a cell of more than {csv.field_size_limit():,} characters"
            if is_large
            else f"is not valid CSV ({error})"
        )
        fix = "remove its column, or " if is_large else ""
        raise lines.fault(
            f"the row that begins here {rule}; {fix}close its quotes, and double a quote inside quotes.", line=begin
        ) from None
