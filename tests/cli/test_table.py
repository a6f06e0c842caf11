"""Tables: they fit the terminal, and no ID is ever cut."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.cli.table import cell_width, cut, draw

HEADER = ["ticket_id", "created_at", "status", "subject", "sender_name", "department_id"]
ROW = [
    "8y6Q8IsFe7Ipd3lMzNpOk7V2XA3fl",
    "2026-08-01 00:37:29",
    "Awaiting Agent Reply",
    "Réseau indisponible",
    "María",
    "Hk3b/Wtd",
]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_ids_are_whole(width: int) -> None:
    """At 40, 80 and 120 columns the ID can be copied; columns that do not fit are named instead of cut to nothing."""
    text, left_out = draw(HEADER, [ROW], width=width, chosen=False)
    assert all(len(line) <= width for line in text.splitlines())
    assert ROW[0] in text
    shown = [name for name in HEADER if name not in left_out]
    assert text.splitlines()[0].split() == shown
    assert ("department_id" in shown) == (ROW[-1] in text)
    assert bool(left_out) is (width < 120)


def test_a_program_gets_everything() -> None:
    """Without a terminal nothing is cut."""
    text, left_out = draw(HEADER, [ROW], width=None, chosen=False)
    assert all(cell in text for cell in ROW)
    assert not left_out


def test_chosen_columns_are_all_there() -> None:
    """What the user names is shown, even if a line becomes longer than the terminal."""
    text, left_out = draw(HEADER, [ROW], width=40, chosen=True)
    assert text.splitlines()[0].split() == HEADER
    assert not left_out


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=40)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=4), st.integers(40, 200))
def test_no_line_is_too_long(rows: list[tuple[str, str, str]], width: int) -> None:
    """For any cells: a line fits unless the ID alone does not, and the ID is in it."""
    text, _ = draw(["item_id", "b", "c"], rows, width=width, chosen=False)
    longest = max(cell_width(row[0]) for row in rows)
    for line, row in zip(text.split("\n")[1:], rows, strict=True):
        assert cell_width(line) <= max(width, longest)
        assert line.startswith(row[0].rstrip()) or not line


@given(words, st.integers(1, 30))
def test_a_cut_text_has_its_width(text: str, width: int) -> None:
    """Wide characters count twice, and an ellipsis shows that something is missing."""
    assert cell_width(cut(text, width)) <= max(width, min(cell_width(text), width))
