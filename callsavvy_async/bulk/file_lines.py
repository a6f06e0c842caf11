"""The decoded text of a file of unknown origin, line by line or in blocks, each fault told with its line."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, TextIO, cast

from callsavvy_async.bulk.foreign_files import BEGINNING, refuse_foreign
from callsavvy_async.errors import InvalidRequestError

LONGEST_LINE = 1 << 20
"""Characters."""
_BLOCK = 1 << 16
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_GZIP_MAGIC = b"\x1f\x8b"


class FileLines(Iterator[str]):
    """The lines of one source, line ends kept; `fault` tells where it stands."""

    def __init__(self, text: TextIO, name: str) -> None:
        self._text = text
        self._readline = text.readline
        self._name = name
        self._ahead: list[str] = []
        self._number = 0

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._read(self._readline, LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) > LONGEST_LINE:
            raise self.fault("the line is longer than 1 MiB, so this is no list of recipients.")
        if not line.isascii() or "\0" in line:
            self._check(line, self._number)
        return line

    def skip_to_content(self) -> str | None:
        """Pass over blank lines and return the first other one, which stays the next; None if there is none.

        Of a line that is too long it is the beginning.
        """
        while line := self._ahead.pop() if self._ahead else self._read(self._readline, LONGEST_LINE + 1):
            if line.strip():
                self._ahead.append(line)
                return line
            self._number += 1
        return None

    def blocks(self) -> Iterator[str]:
        """Yield the rest of the text in blocks, whatever the length of its lines; who reads them counts those."""
        for block in chain(self._ahead, iter(lambda: self._read(self._text.read, _BLOCK), "")):
            self._check(block, self._number + 1)
            yield block

    @property
    def number(self) -> int:
        """The number of the last line, counted from 1."""
        return self._number

    def fault(self, rule: str, *, line: int | None = None) -> InvalidRequestError:
        """Make the error for the last line, or for another one."""
        return InvalidRequestError(f"{self._name}, line {line or self._number}: {rule}")

    def _read(self, read: Callable[[int], str], most: int) -> str:
        try:
            return read(most)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise self.fault(
                "the gzip data is damaged or cut short; compress the file again.", line=self._number + 1
            ) from None

    def _check(self, text: str, line: int) -> None:
        if "\0" in text:
            raise self.fault("it holds a NUL byte, so this is no UTF-8 text; save the file as UTF-8.", line=line)
        if _UNDECODABLE.search(text):
            raise self.fault("it holds bytes that are not UTF-8; save the file as UTF-8 ('CSV UTF-8').", line=line)


@contextmanager
def open_lines(stream: IO[bytes], name: str) -> Generator[FileLines]:
    """Read a stream of bytes as text; gzip is known by its first bytes, not by the name.

    Line ends of all systems and a byte order mark are understood; the text must be UTF-8.

    Raises:
        InvalidRequestError: it is no text, but a file of another kind.
    """
    buffered = cast("io.BufferedReader", stream)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        buffered = cast("io.BufferedReader", gzip.GzipFile(fileobj=stream))
    with suppress(EOFError, gzip.BadGzipFile, zlib.error):  # told when its line is read
        refuse_foreign(buffered.peek(BEGINNING)[:BEGINNING], name)
    # Undecodable bytes become surrogates, so that FileLines can name their line.
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield FileLines(text, name)
    finally:
        if not stream.closed:  # an iterator that was dropped half-way may outlive it
            text.detach()
