"""Rows of a report, kept out of memory: an anonymous temporary file that disappears by itself.

One JSON line per request or skipped recipient. Small reports never touch the disk, and what a full disk does not take stays
in memory: who got a paid message is not forgotten because there was no room to write it down.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from typing import IO, TypeAlias

Line: TypeAlias = tuple[str, int | None, str | None, str, list[tuple[int, str]]]
"""Outcome, number of the request, message id, detail, and (row, number) of every recipient."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

IN_MEMORY = 2**20
"""Bytes; what is longer goes to the disk."""
_BLOCK = 2**16
"""Bytes that are read at once."""


class Spool:
    """Lines that are appended, and read from the first one while more may come."""

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._end = 0
        """Bytes of the whole lines in it."""
        self._left: list[bytes] = []
        """The lines behind those, since the disk took one no more."""

    def append(self, line: Line) -> None:
        """Add a line."""
        encoded = _encode(line).encode() + b"\n"
        if self._left or not self._wrote(encoded):
            self._left.append(encoded)

    def __iter__(self) -> Iterator[Line]:
        position, begun = 0, b""
        while position < self._end:
            self._file.seek(position)
            block = self._file.read(min(_BLOCK, self._end - position))
            position += len(block)
            *lines, begun = (begun + block).split(b"\n")
            yield from map(json.loads, lines)
        yield from map(json.loads, self._left)

    def __del__(self) -> None:
        self._file.close()

    def _wrote(self, encoded: bytes) -> bool:
        """Write a line behind the others; False when the disk does not take it."""
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
    """Write without a buffer: what a full disk refuses later would be lost, and all that comes behind it."""
    file.seek(at)
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
