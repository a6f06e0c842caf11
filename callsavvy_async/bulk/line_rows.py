"""Read plain lines: one number a line. Blank lines and lines that begin with ``#`` are skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from callsavvy_async.bulk.file_lines import FileLines


def line_rows(lines: FileLines) -> Iterator[Sequence[str]]:
    """Yield the numbers, in blocks."""
    return lines.row_blocks(lambda block: list(_numbers(block)), lambda: _numbers(lines))


def _numbers(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        number = line.strip()
        if number and not number.startswith("#"):
            yield number
