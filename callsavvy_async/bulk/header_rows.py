"""Turn the rows of a table, of CSV or of a spreadsheet, into mappings by the names of its header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from callsavvy_async.bulk.column_detection import has_usual_name
from callsavvy_async.bulk.row_block import RowBlock
from callsavvy_async.errors import InvalidRequestError

DELIMITERS = ",;\t|"

Cell: TypeAlias = str | float
"""A cell; a float if it is a number that lost digits."""

Fault: TypeAlias = Callable[[str], InvalidRequestError]
"""Returns the error for the current row, given the rule and the fix."""

_UNSEEN = " \t\r\n\v\f\u00a0\u200b\u200e\u200f\u2060\ufeff"
"""Blanks and invisible marks, such as a second byte order mark before the first name."""
_PHONE = re.compile(r"\+?\(?\d(?:[\s().\-]*\d){8,}")
_MIN_DIGITS = 6
"""Fewest digits of a phone number (E.164)."""


def named_rows(rows: Iterator[Sequence[Cell]], fault: Fault) -> Iterator[str | dict[str, Cell]]:
    """Yield rows as mappings by the header's names, or the cells of a single column without a header.

    Columns without a name are skipped. A row shorter than the header is padded with blanks.

    Args:
        rows: the rows, without blank ones; the first may be the header.
        fault: returns the error for the last row.

    Raises:
        InvalidRequestError: several columns have no header, a title precedes the header, a name occurs twice, or a row is
            longer than the header.
    """
    table = Table.of(rows, fault)
    if table is not None:
        if table.first is not None:
            yield table.first
        yield from map(table.row, rows)


class Table:
    """The names of a table's columns, by which its rows become mappings.

    Attributes:
        first: the cell of the first row, if the table has a single column without a header.
    """

    def __init__(self, header: list[str], fault: Fault) -> None:
        self._header = header
        self._fault = fault
        self.first: str | None = None if any(header[1:]) or _is_name(header[0]) else header[0]
        if self.first is None:
            _check_header(header, fault)
        self._may_be_title = not any(header[1:]) and not has_usual_name(header[0])
        self._width = len(header) if all(header) else -1

    @classmethod
    def of(cls, rows: Iterator[Sequence[Cell]], fault: Fault) -> Table | None:
        """Return the table that the next row begins, or None if that row is missing or consists of delimiters."""
        header = [str(name).strip(_UNSEEN) for name in next(rows, ())]
        return cls(header, fault) if any(header) else None

    def row(self, row: Sequence[Cell]) -> str | dict[str, Cell]:
        """Return a row as a mapping, or the cell of a single column without a header."""
        if self.first is not None:
            return _only_cell(row, self._fault)
        if self._may_be_title and _has_several(row):
            raise _title_fault(self._header[0], self._fault)
        if len(row) == self._width:
            return dict(zip(self._header, row, strict=False))
        return _by_name(self._header, row, self._fault)

    def block(self, rows: Sequence[Sequence[str]]) -> RowBlock | list[str] | None:
        """Return rows of the header's length as `row` does, or None if a row is longer, shorter or blank."""
        width = self._width
        if set(map(len, rows)) != {width} or [""] * width in rows:
            return None
        if self.first is not None:
            return [cell for (cell,) in rows]
        return None if self._may_be_title else RowBlock(self._header, rows)


def _only_cell(row: Sequence[Cell], fault: Fault) -> str:
    if any(row[1:]):
        raise fault(
            f"the row has {len(row)} cells, but the first row has one; add a header row with the names of the columns."
        )
    return str(row[0])


def _by_name(header: list[str], row: Sequence[Cell], fault: Fault) -> dict[str, Cell]:
    if any(row[len(header) :]):
        raise fault(
            f"the row has {len(row)} cells, but the header has {len(header)}; quote a cell that holds the delimiter."
        )
    named = {name: cell for name, cell in zip(header, row, strict=False) if name}
    if len(row) < len(header):
        named.update((name, "") for name in header[len(row) :] if name)
    return named


def _is_name(cell: str) -> bool:
    """Return whether a cell is a column's name. Data mistaken for a name would be lost silently."""
    return cell[:1].isalpha() and sum(map(str.isdecimal, cell)) < _MIN_DIGITS


def _has_several(row: Sequence[Cell]) -> bool:
    return sum(map(bool, row)) > 1 or any(delimiter in str(row[0]) for delimiter in DELIMITERS)


def _title_fault(title: str, fault: Fault) -> InvalidRequestError:
    return fault(
        f"the row has several cells, but the first line of the file has one, {title[:40]!r}, which may be a title."
        " Remove the lines above the names of the columns."
    )


def _check_header(header: list[str], fault: Fault) -> None:
    if any(map(_PHONE.search, header)):
        raise fault(
            "the header row holds a phone number; write one number a line, or add a row with the names of the columns, as in"
            " phone,name."
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise fault(f"the header names the column {twice[0]!r} twice; give each column a unique name.")
