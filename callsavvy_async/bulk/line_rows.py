"""Read plain lines: one number a line. Blank lines and lines that begin with ``#`` are skipped."""

from __future__ import annotations

from collections.abc import Iterator

from callsavvy_async.bulk.file_lines import FileLines


def line_rows(lines: FileLines) -> Iterator[str]:
    """Yield the numbers."""
    for line in lines:
        number = line.strip()
        if number and not number.startswith("#"):
            yield number
