"""Spool the rows of a report to an anonymous temporary file.

The file has one JSON line per request or skipped recipient. Small reports stay in memory. When the disk is full, further
lines stay in memory too, because they record paid messages.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from typing import IO, TypeAlias

Line: TypeAlias = tuple[str, int | None, str | None, str, list[tuple[int, str]]]
"""Outcome, number of the request, message id, detail, and (row, number) of each recipient."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

IN_MEMORY = 2**20
"""Most bytes in memory before the spool moves to disk."""
_BLOCK = 2**16
"""Bytes per read."""


class Spool:
    """An append-only list of lines. It can be read while it grows."""

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._end = 0
        """Bytes of complete lines in the file."""
        self._overflow: list[bytes] = []
        """Lines after a failed write."""

    def append(self, line: Line) -> None:
        """Add a line."""
        encoded = _encode(line).encode() + b"\n"
        if self._overflow or not self._try_write(encoded):
            self._overflow.append(encoded)

    def __iter__(self) -> Iterator[Line]:
        position, partial = 0, b""
        while position < self._end:
            self._file.seek(position)
            block = self._file.read(min(_BLOCK, self._end - position))
            position += len(block)
            *lines, partial = (partial + block).split(b"\n")
            yield from map(json.loads, lines)
        yield from map(json.loads, self._overflow)

    def __del__(self) -> None:
        self._file.close()

    def _try_write(self, encoded: bytes) -> bool:
        """Write a line at the end. Return False if the write fails."""
        try:
            if isinstance(self._file, io.BytesIO) and self._end + len(encoded) > IN_MEMORY:
                self._file = _on_disk(self._file.getvalue())
            _write(self._file, self._end, encoded)
        except OSError:
            return False
        self._end += len(encoded)
        return True


def _on_disk(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile(prefix="callsavvy-report-", buffering=0)  # noqa: SIM115 - `Spool.__del__` closes it
    try:
        _write(file, 0, content)
    except OSError:
        file.close()
        raise
    return file


def _write(file: IO[bytes], at: int, content: bytes) -> None:
    """Write unbuffered. A buffered write to a full disk would fail later, and lose the lines in the buffer."""
    file.seek(at)
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
