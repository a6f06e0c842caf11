"""The decoded lines of a text file of unknown origin, each checked, and each fault told with its line."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TextIO

from callsavvy_async.errors import InvalidRequestError

_LONGEST_LINE = 1 << 20
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_GZIP_MAGIC = b"\x1f\x8b"


class FileLines(Iterator[str]):
    """The lines of one source, line ends kept; `fault` tells where it stands."""

    def __init__(self, text: TextIO, name: str) -> None:
        self._text = text
        self._name = name
        self._ahead: list[str] = []
        self._number = 0

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self._number += 1
        return line

    def skip_to_content(self) -> str | None:
        """Pass over blank lines and return the first other one, which stays the next; None if there is none."""
        for line in self:
            if line.strip():
                self._ahead.append(line)
                self._number -= 1
                return line
        return None

    @property
    def number(self) -> int:
        """The number of the last line, counted from 1."""
        return self._number

    def fault(self, rule: str, *, line: int | None = None) -> InvalidRequestError:
        """Make the error for the last line, or for another one."""
        return InvalidRequestError(f"{self._name}, line {line or self._number}: {rule}")

    def _read(self) -> str:
        here = self._number + 1
        try:
            line = self._text.readline(_LONGEST_LINE + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise self.fault("the gzip data is damaged or cut short; compress the file again.", line=here) from None
        if len(line) > _LONGEST_LINE:
            raise self.fault("the line is longer than 1 MiB, so this is no list of recipients.", line=here)
        if "\0" in line:
            raise self.fault("it holds a NUL byte, so this is no UTF-8 text; save the file as UTF-8.", line=here)
        if not line.isascii() and _UNDECODABLE.search(line):
            raise self.fault("it holds bytes that are not UTF-8; save the file as UTF-8 ('CSV UTF-8').", line=here)
        return line


@contextmanager
def open_lines(path: str) -> Generator[FileLines]:
    """Open a text file, or standard input for "-"; gzip is known by its first bytes, not by the name.

    Line ends of all systems and a byte order mark are understood; the text must be UTF-8.
    """
    stream = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115, PTH123 - closed below
    try:
        binary = gzip.GzipFile(fileobj=stream) if stream.peek(2)[:2] == _GZIP_MAGIC else stream  # type: ignore[union-attr]
        # Undecodable bytes become surrogates, so that FileLines can name their line.
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield FileLines(text, "standard input" if path == "-" else path)
        finally:
            text.detach()
    finally:
        if path != "-":
            stream.close()
