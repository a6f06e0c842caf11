"""Tables as text. On a terminal they fit its width: IDs stay whole, other columns shrink or are left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

_GAP = 2
_SHORTEST = 10
"""Characters that a column keeps at least before it is left out."""


def draw(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, chosen: bool
) -> tuple[str, list[str]]:
    """Draw a table; return it and the columns that were left out.

    Args:
        header: Names of the columns.
        rows: Cells.
        width: Characters of a line; None for any number.
        chosen: True to leave out no column, as the user has named them.
    """
    natural = [max(map(cell_width, cells)) for cells in zip(header, *rows, strict=True)]
    widths = natural if width is None else _fit(header, natural, width, chosen=chosen)
    shown = [index for index, columns in enumerate(widths) if columns]
    lines = ["  ".join(_padded(row[at], widths[at]) for at in shown).rstrip() for row in (header, *rows)]
    return "\n".join(lines), [name for name, columns in zip(header, widths, strict=True) if not columns]


def _fit(header: Sequence[str], natural: Sequence[int], width: int, *, chosen: bool) -> list[int]:
    """Return the width of each column; 0 for one that is left out."""
    whole = [_is_id(name) for name in header]
    least = [
        size if is_id else max(min(size, _SHORTEST), len(name))  # --columns needs whole names
        for name, size, is_id in zip(header, natural, whole, strict=True)
    ]
    own_id = next((index for index, is_id in enumerate(whole) if is_id), 0)
    widths, free = [0] * len(header), width + _GAP
    for index in sorted(range(len(header)), key=lambda at: at != own_id):  # the ID of the row goes first
        if chosen or index == own_id or least[index] + _GAP <= free:
            widths[index] = least[index]
            free -= least[index] + _GAP
    for index, size in enumerate(natural):
        more = min(size - widths[index], max(free, 0)) if widths[index] else 0
        widths[index] += more
        free -= more
    return widths


def _is_id(name: str) -> bool:
    return name in {"id", "uid", "key", "name"} or name.endswith(("_id", "_uid"))


def cell_width(text: str) -> int:
    """Return the columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def _padded(text: str, width: int) -> str:
    size = cell_width(text)
    return text + " " * (width - size) if size <= width else cut(text, width)


def cut(text: str, width: int) -> str:
    """Cut a text that is too long, with an ellipsis."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for char in text:
        if cell_width(kept + char) > width - 1:
            break
        kept += char
    return kept + "…" + " " * (width - 1 - cell_width(kept))


def side_by_side(rows: Iterable[tuple[str, str]]) -> str:
    """Draw names and values, one pair a line."""
    pairs = list(rows)
    longest = max(cell_width(name) for name, _ in pairs)
    return "\n".join(f"{_padded(name, longest)}  {value}".rstrip() for name, value in pairs)
