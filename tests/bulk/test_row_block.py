"""A block of rows is a sequence of mappings, and only rows under equal names form one."""

from __future__ import annotations

import pytest

from callsavvy_async.bulk.plain_rows import plain_numbers
from callsavvy_async.bulk.row_block import RowBlock
from callsavvy_async.bulk.row_fields import LONGEST

A, B = {"phone": "+2348012345671", "name": "Ada"}, {"name": "Bayo", "phone": "+2348012345672"}


def test_a_block_is_a_sequence_of_its_rows():
    """Rows come as mappings, by index, slice or iteration, whatever the order of their names."""
    block = RowBlock.of([A, B])
    assert isinstance(block, RowBlock)
    assert (block[0], list(block[1:]), list(block)) == (A, [B], [A, B])


@pytest.mark.parametrize(
    "rows", [["+1", A], [A, {"phone": "+1"}], [A, {"phone": "+1", "city": "x"}], [{}], [{"phone": 1}]]
)
def test_other_rows_stay_as_they_are(rows):
    """Rows of other kinds, names or values are read one by one."""
    assert RowBlock.of(rows) is rows


@pytest.mark.parametrize("name", ["\ud800", "\0", "x" * LONGEST])
def test_a_block_with_a_field_to_report_needs_a_closer_look(name):
    """A text that cannot be sent, or is too long, is found in a block too; long rows that are valid are not."""
    assert plain_numbers(RowBlock.of([A, {**B, "name": name}]), "phone") is None
    assert plain_numbers(RowBlock.of([{**A, "name": "x" * (LONGEST // 2)}, A]), "phone") is not None
    assert plain_numbers(RowBlock.of([A, B]), "tel") is None
