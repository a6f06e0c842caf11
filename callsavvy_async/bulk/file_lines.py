"""Decode files of recipients, by line or by block. Errors name the line."""

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
    """The lines of a file, with their line ends."""

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
            raise self.fault(
                "the line is longer than 1 MiB; this is not a list of recipients. Write one recipient a line."
            )
        if not line.isascii() or "\0" in line:
            self._check(line, self._number)
        return line

    def skip_to_content(self) -> str | None:
        """Skip blank lines and return the next line without consuming it; None at the end.

        A line longer than the maximum is cut.
        """
        while line := self._ahead.pop() if self._ahead else self._read(self._readline, LONGEST_LINE + 1):
            if line.strip():
                self._ahead.append(line)
                return line
            self._number += 1
        return None

    def blocks(self) -> Iterator[str]:
        """Yield the rest of the text in blocks. `number` no longer counts lines; the reader has to."""
        for block in chain(self._ahead, iter(lambda: self._read(self._text.read, _BLOCK), "")):
            self._check(block, self._number + 1)
            yield block

    @property
    def number(self) -> int:
        """Number of the last line, counted from 1."""
        return self._number

    def fault(self, rule: str, *, line: int | None = None) -> InvalidRequestError:
        """Return the error for a line; the last one when None."""
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
            raise self.fault("the line holds a NUL byte, so the file is not UTF-8 text; save it as UTF-8.", line=line)
        if _UNDECODABLE.search(text):
            raise self.fault(
                "the line holds bytes that are not UTF-8; save the file as UTF-8 ('CSV UTF-8').", line=line
            )


@contextmanager
def open_lines(stream: IO[bytes], name: str) -> Generator[FileLines]:
    """Open a stream of UTF-8 text, with or without a byte order mark. Gzip is detected by its first bytes.

    Raises:
        InvalidRequestError: the file is of another kind.
    """
    buffered = cast("io.BufferedReader", stream)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        buffered = cast("io.BufferedReader", gzip.GzipFile(fileobj=stream))
    with suppress(EOFError, gzip.BadGzipFile, zlib.error):  # raised when the line is read
        refuse_foreign(buffered.peek(BEGINNING)[:BEGINNING], name)
    # Undecodable bytes become surrogates, so that `FileLines` can name their line.
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield FileLines(text, name)
    finally:
        if not stream.closed:  # a dropped iterator may outlive the stream
            text.detach()
