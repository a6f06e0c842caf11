"""The three standard streams, so that none of them can end a command.

A terminal that is closed, a pipe whose reader left, a full disk, and a stream that was closed from the start make writing
fail, at any moment. What goes to stderr is for people who watch: where nobody can, it is left out. What goes to stdout is a
result: that it cannot be written is an error, which `ending.py` deals with.
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
        """Whether the program at the other end of a pipe wants no more."""


class Stream:
    """A standard stream, as far as `print`, `logging` and rich use one; whether it works is known at any time."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.works = stream is not None
        """Whether everything so far could be written."""

    @property
    def encoding(self) -> str:
        """That of the stream."""
        return "utf-8" if self._stream is None else self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write a text."""
        self._attempt(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._attempt(lambda stream: stream.flush())

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return its descriptor.

        Raises:
            OSError: it was closed from the start.
        """
        if self._stream is None:
            raise _closed()
        return self._stream.fileno()

    def _attempt(self, act: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise _closed()
            act(self._stream)
        except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
            self.works = False
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Leave out what cannot be written."""


class Stdout(Stream):
    """Standard output: what cannot be written is an `OutputError`."""

    @property
    def encodes_all(self) -> bool:
        """Whether its encoding holds every character."""
        return self.encoding.lower().replace("-", "") == "utf8"

    def _fail(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise OutputError(reason, reader_left=isinstance(error, BrokenPipeError)) from None


@contextmanager
def safe_streams() -> Generator[tuple[Stdout, Stream]]:
    """Put streams that cannot end a command unawares in the place of the standard ones; yields stdout and stderr."""
    _occupy_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    if isinstance(before[1], io.TextIOWrapper):  # a character that its encoding lacks is escaped
        cast("io.TextIOWrapper[io.BytesIO]", before[1]).reconfigure(errors="backslashreplace")
    stdout, stderr = Stdout(cast("TextIO | None", before[1])), Stream(before[2])
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123 - no path of anybody's
        sys.stdin = sys.stdin or nothing
        sys.stdout, sys.stderr = cast("TextIO", stdout), cast("TextIO", stderr)
        try:
            yield stdout, stderr
        finally:
            if not stdout.works:
                _silence(stdout)
            sys.stdin, sys.stdout, sys.stderr = before


def _silence(stdout: Stdout) -> None:
    """Let what is left in the buffer of a stdout that failed go nowhere, or the interpreter fails as it ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stdout.fileno())
        os.close(descriptor)


def _occupy_descriptors() -> None:
    """Open the null device where a standard descriptor is closed: the journal's file would get its number, and its output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _closed() -> OSError:
    return OSError(errno.EBADF, "it is closed")
