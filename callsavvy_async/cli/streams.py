"""Wrappers for the standard streams, so that a failed write cannot abort a send.

Writing can fail at any moment: the terminal was closed, the reader of a pipe left, the disk is full, or the stream was
closed from the start. Text for stderr is then dropped. A result for stdout raises `OutputError`, which `ending.py` handles.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO, cast


class OutputError(Exception):
    """A result cannot be written to standard output."""

    def __init__(self, reason: str, *, reader_left: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reader_left = reader_left
        """True if the reader of the pipe has closed it."""


class Stream:
    """A standard stream, as far as `print`, `logging` and rich use one."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.works: bool = stream is not None
        """True while every write has succeeded."""

    @property
    def encoding(self) -> str:
        """Encoding of the stream."""
        return "utf-8" if self._stream is None else self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write text."""
        self._attempt(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._attempt(lambda stream: stream.flush())

    def isatty(self) -> bool:
        """Return True for a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor.

        Raises:
            OSError: The stream was closed from the start.
        """
        if self._stream is None:
            raise _closed()
        return self._stream.fileno()

    def _attempt(self, act: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise _closed()
            act(self._stream)
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self.works = False
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Drop the text."""


class Stdout(Stream):
    """Standard output. A failed write raises `OutputError`."""

    @property
    def encodes_all(self) -> bool:
        """True if the encoding has every character."""
        return self.encoding.lower().replace("-", "") == "utf8"

    def _fail(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise OutputError(reason, reader_left=isinstance(error, BrokenPipeError)) from None


@contextmanager
def safe_streams() -> Generator[tuple[Stdout, Stream]]:
    """Replace the standard streams while the block runs; yield stdout and stderr."""
    _occupy_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    if isinstance(before[1], io.TextIOWrapper):  # escape characters that the encoding lacks
        cast("io.TextIOWrapper[io.BytesIO]", before[1]).reconfigure(errors="backslashreplace")
    stdout, stderr = Stdout(cast("TextIO | None", before[1])), Stream(before[2])
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123 - the null device
        sys.stdin = sys.stdin or nothing
        sys.stdout, sys.stderr = cast("TextIO", stdout), cast("TextIO", stderr)
        try:
            yield stdout, stderr
        finally:
            if not stdout.works:
                _silence(stdout)
            sys.stdin, sys.stdout, sys.stderr = before


def _silence(stdout: Stdout) -> None:
    """Send the rest of a failed stdout's buffer to the null device, so that the interpreter can flush it at exit."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stdout.fileno())
        os.close(descriptor)


def _occupy_descriptors() -> None:
    """Open the null device for each closed standard descriptor.

    Otherwise the journal's file would get that descriptor, and output would be written into the journal.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _closed() -> OSError:
    return OSError(errno.EBADF, "it is closed")
