"""Recognise blocks of rows in which no row needs a closer look, by functions that take a whole block at once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import cast

from callsavvy_async.bulk.row_block import RowBlock
from callsavvy_async.bulk.row_fields import LONGEST
from callsavvy_async.encodable import is_encodable
from callsavvy_async.phone_numbers import are_certain


def plain_numbers(rows: Sequence[object], column: str | None) -> list[int] | None:
    """Return the numbers of a block of rows as integers, or None if a row needs a closer look.

    Args:
        rows: the rows; mappings as a `RowBlock`.
        column: column of the number, if there is only one.
    """
    if isinstance(rows, RowBlock):
        if column not in rows.names or not is_encodable("".join(rows.names)) or not is_encodable(rows.text):
            return None
        if len(rows.text) > LONGEST // 2 and rows.longest > LONGEST:
            return None
        numbers: Sequence[str] = rows.column(rows.names.index(column))
    elif set(map(type, rows)) == {str}:
        numbers = cast("Sequence[str]", rows)
    else:
        return None
    return list(map(int, numbers)) if are_certain(numbers) else None


def without(numbers: Sequence[int], row: int, left_out: Sequence[int]) -> tuple[array[int], array[int]]:
    """Return numbers and their rows without those at some indices. The first one has the row `row`."""
    rows = range(row, row + len(numbers))
    if not left_out:
        return array("Q", numbers), array("Q", rows)
    stays = bytearray(b"\1") * len(numbers)
    for index in left_out:
        stays[index] = False
    return array("Q", compress(numbers, stays)), array("Q", compress(rows, stays))
