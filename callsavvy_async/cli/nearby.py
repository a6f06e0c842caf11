"""What there is instead of a file that does not exist."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

_MOST = 5


def files_near(missing: str) -> str:
    """Describe the files of the folder: the one with a similar name, else those with the same ending. Blank if there are none."""
    path = Path(missing)
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    except OSError:
        return f' The folder "{path.parent}" does not exist either.'
    close = get_close_matches(path.name, names, 1)
    if close:
        return f' Did you mean "{path.with_name(close[0])}"?'
    alike = [name for name in names if Path(name).suffix == path.suffix]
    if not alike:
        return ""
    more = ", ..." if len(alike) > _MOST else ""
    return f" The folder contains {', '.join(alike[:_MOST])}{more}."
