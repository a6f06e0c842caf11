"""Decode files of recipients, by line or by block. Errors name the line."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, TextIO, cast

from callsavvy_async.bulk.text_encoding import encoding_of
from callsavvy_async.errors import InvalidRequestError

BEGINNING = 64
"""Bytes that identify a file."""
LONGEST_LINE = 1 << 20
"""Characters."""
_BLOCK = 1 << 16
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_GZIP_MAGIC = b"\x1f\x8b"


class FileLines(Iterable[str]):
    """The lines of a file, with their line ends."""

    def __init__(self, text: TextIO, name: str, encoding: str = "UTF-8") -> None:
        self.notes: list[str] = []
        """What readers found out about the file, for its description."""
        self._text = text
        self._encoding = encoding
        self._readline = text.readline
        self._name = name
        self._ahead: list[str] = []
        self._number = 0
        self._lines = self._each()

    def __next__(self) -> str:
        return next(self._lines)

    def __iter__(self) -> Iterator[str]:
        return self._lines  # to a loop, a generator costs 0.4 µs a line less than `__next__`

    def _each(self) -> Iterator[str]:
        readline, most = self._text.readline, LONGEST_LINE + 1
        while True:
            line = self._ahead.pop() if self._ahead else self._read(readline, most)
            if not line:
                return
            self._number += 1
            if len(line) > LONGEST_LINE:
                raise self.fault(
                    "the line is longer than 1 MiB; this is not a list of recipients. Write one recipient a line."
                )
            if not line.isascii() or "\0" in line:
                self._check(line, self._number)
            yield line

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
        except UnicodeDecodeError:  # UTF-16 and UTF-32, which are decoded by block
            raise self._not_text(self._number + 1) from None

    def _check(self, text: str, line: int) -> None:
        if "\0" in text:
            raise self.fault(
                f"the line holds a NUL byte, so the file is not {self._encoding} text; {_fix_of_nul(text)}.", line=line
            )
        if _UNDECODABLE.search(text):
            raise self._not_text(line)

    def _not_text(self, line: int) -> InvalidRequestError:
        return self.fault(
            f"the line holds bytes that are not {self._encoding}; name the encoding of the file, such as windows-1252, or save"
            " it as UTF-8 ('CSV UTF-8').",
            line=line,
        )


def _fix_of_nul(text: str) -> str:
    """Return the fix for a text with NUL bytes. In UTF-16 they are every second byte of a Latin letter."""
    for order, letters, zeros in (("le", text[::2], text[1::2]), ("be", text[1::2], text[::2])):
        if 2 * zeros.count("\0") > len(zeros) and "\0" not in letters:
            return f"it looks like UTF-16: give encoding='utf-16-{order}', or save it as UTF-8"
    return "remove the byte, or name the encoding of the file"


def decompressed(stream: IO[bytes]) -> io.BufferedReader:
    """Return a stream that decompresses gzip, which is detected by its first bytes."""
    buffered = cast("io.BufferedReader", stream)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        return cast("io.BufferedReader", gzip.GzipFile(fileobj=stream))
    return buffered


def beginning_of(stream: io.BufferedReader) -> bytes:
    """Return the first bytes without consuming them; none if they cannot be decompressed, which reading then raises."""
    with suppress(EOFError, gzip.BadGzipFile, zlib.error):
        return stream.peek(BEGINNING)[:BEGINNING]
    return b""


@contextmanager
def open_lines(stream: io.BufferedReader, name: str, encoding: str | None = None) -> Generator[FileLines]:
    """Open a stream of text.

    Args:
        stream: the text, decompressed.
        name: name of the file, for errors.
        encoding: encoding of the text; None for the one of its byte order mark, else UTF-8.

    Raises:
        InvalidRequestError: the encoding does not exist, or contradicts the byte order mark.
    """
    codec = encoding_of(beginning_of(stream), encoding, name)
    # Undecodable bytes become surrogates, so that `FileLines` can name their line.
    text = io.TextIOWrapper(stream, encoding=codec.name, errors="surrogateescape", newline="")
    lines = FileLines(text, name, codec.title)
    if codec.is_unusual:
        lines.notes.append(codec.title)
    try:
        yield lines
    finally:
        if not stream.closed:  # a dropped iterator may outlive the stream
            text.detach()
