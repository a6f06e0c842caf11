"""Decode files of recipients, by line or by block of lines. Errors name the line."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, TypeVar, cast

from callsavvy_async.bulk.text_encoding import encoding_of
from callsavvy_async.errors import InvalidRequestError

T = TypeVar("T")

BEGINNING = 64
"""Bytes that identify a file."""
LONGEST_LINE = 1 << 20
"""Characters."""
_BLOCK = 1 << 15
"""Bytes read at once: a thousand rows."""
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_GZIP_MAGIC = b"\x1f\x8b"


class FileLines(Iterable[str]):
    """The lines of a file, with their line ends.

    Args:
        read: returns some text that is at hand, or "" at the end.
        name: name of the file, for errors.
        encoding: name of its encoding, for errors.
    """

    def __init__(self, read: Callable[[], str], name: str, encoding: str = "UTF-8") -> None:
        self.notes: list[str] = []
        """What readers found out about the file, for its description."""
        self._text = read
        self._encoding = encoding
        self._name = name
        self._ahead: deque[str] = deque()
        """Lines that were read but not yielded."""
        self._part = ""
        """The beginning of the line behind them."""
        self._number = 0
        self._lines = self._each()

    def __next__(self) -> str:
        return next(self._lines)

    def __iter__(self) -> Iterator[str]:
        return self._lines  # to a loop, a generator costs 0.4 µs a line less than `__next__`

    def _each(self) -> Iterator[str]:
        while self._ahead or self._read_on():
            line = self._ahead.popleft()
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
        while self._ahead or self._read_on():
            if self._ahead[0].strip():
                return self._ahead[0]
            self._ahead.popleft()
            self._number += 1
        return None

    def blocks(self) -> Iterator[str]:
        """Yield the rest of the text in blocks. `number` no longer counts lines; the reader has to."""
        at_hand = "".join(self._ahead) + self._part
        for block in chain([at_hand] if at_hand else [], iter(self._read, "")):
            self._check(block, self._number + 1)
            yield block

    def row_blocks(
        self, whole: Callable[[list[str]], Sequence[T] | None], each: Callable[[], Iterator[T]]
    ) -> Iterator[Sequence[T]]:
        """Yield the rows of the remaining lines, in blocks of the lines at hand.

        Args:
            whole: reads the rows of a block, or returns None if a line needs a closer look.
            each: reads row by row, by this object. It reads the other blocks, and those with characters to be checked.
        """
        while self._ahead or self._read_on():
            lines = list(self._ahead)
            rows = whole(lines) if self._are_valid(lines) else None
            if rows is None:
                yield from self._row_by_row(each(), self._number + len(lines))
                continue
            self._ahead.clear()
            self._number += len(lines)
            if rows:
                yield rows

    def _row_by_row(self, each: Iterator[T], last: int) -> Iterator[Sequence[T]]:
        """Yield the rows up to a line as one block, or those before a fault and then its error."""
        rows: list[T] = []
        try:
            for row in each:
                rows.append(row)
                if self._number >= last:
                    break
        except Exception:
            if rows:
                yield rows
            raise
        if rows:
            yield rows

    @property
    def number(self) -> int:
        """Number of the last line, counted from 1."""
        return self._number

    def fault(self, rule: str, *, line: int | None = None) -> InvalidRequestError:
        """Return the error for a line; the last one when None."""
        return InvalidRequestError(f"{self._name}, line {line or self._number}: {rule}")

    def _read(self) -> str:
        try:
            return self._text()
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise self.fault(
                "the gzip data is damaged or cut short; compress the file again.", line=self._number + 1
            ) from None
        except UnicodeDecodeError:  # UTF-16 and UTF-32, which are decoded by block
            raise self._not_text(self._number + 1) from None

    def _read_on(self) -> bool:
        """Read until at least one line is at hand. Return False at the end."""
        while not self._ahead:
            more = self._read()
            text = self._part + more
            if not text:
                return False
            self._ahead.extend(io.StringIO(text, newline="") if "\n" in text or "\r" in text else (text,))
            is_whole = not more or self._ahead[-1].endswith("\n") or len(self._ahead[-1]) > LONGEST_LINE
            self._part = "" if is_whole else self._ahead.pop()  # behind "\r" there may be "\n"
        return True

    def _are_valid(self, lines: Sequence[str]) -> bool:
        text = "".join(lines)
        if "\0" in text or (len(text) > LONGEST_LINE and max(map(len, lines)) > LONGEST_LINE):
            return False
        return text.isascii() or _UNDECODABLE.search(text) is None

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
    lines = FileLines(_decoded(stream, codec.name), name, codec.title)
    if codec.is_unusual:
        lines.notes.append(codec.title)
    yield lines


def _decoded(stream: io.BufferedReader, codec: str) -> Callable[[], str]:
    """Return a function that decodes the bytes at hand, so that a slow stream is read as it comes."""
    # Undecodable bytes become surrogates, so that `FileLines` can name their line.
    decoder = codecs.getincrementaldecoder(codec)("surrogateescape")

    def read() -> str:
        while data := stream.read1(_BLOCK):
            if text := decoder.decode(data):
                return text
        return decoder.decode(b"", final=True)

    return read
