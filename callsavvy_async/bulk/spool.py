"""Rows of a report, kept out of memory: an anonymous temporary file that disappears by itself.

One JSON line per call or skipped recipient. Small reports never touch the disk.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any, TypeAlias

Line: TypeAlias = tuple[str, int | None, str | None, str, list[tuple[int, str]]]
"""Outcome, number of the call, message id, detail, and (row, number) of every recipient."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

IN_MEMORY = 2**20
"""Bytes; what is longer goes to the disk."""


class Spool:
    """Lines that are appended, and read from the first one while more may come."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, "w+b", prefix="callsavvy-report-")  # noqa: SIM115 - see __del__

    def append(self, line: Line) -> None:
        """Add a line."""
        self._file.write(_encode(line).encode() + b"\n")

    def __iter__(self) -> Iterator[Line]:
        end, position = self._file.tell(), 0
        while position < end:
            self._file.seek(position)
            line: Any = json.loads(self._file.readline())
            position = self._file.tell()
            self._file.seek(end)  # whoever appends while this is read goes on at the end
            yield line
            self._file.seek(0, 2)
            end = self._file.tell()

    def __del__(self) -> None:
        self._file.close()
