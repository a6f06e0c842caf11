"""Decompress responses in bounded memory: a gzip bomb is cut off, never unpacked."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Protocol

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What requests offer (RFC 9110, 12.5.3)."""


class Decoder(Protocol):
    """Decodes a body chunk by chunk."""

    def feed(self, chunk: bytes, room: int) -> bytes:
        """Decode a chunk into at most `room` bytes. Raises ValueError when it is broken."""
        ...

    @property
    def rest(self) -> bytes:
        """What was fed and not decoded, for want of room."""
        ...

    def finish(self) -> None:
        """Raise ValueError when the stream ended too early."""
        ...


class Inflate:
    """gzip and deflate; deflate with or without the zlib header, since servers send both."""

    def __init__(self, encoding: str) -> None:
        self._head: bytes | None = b"" if encoding == "deflate" else None
        """The first byte, kept until the second says whether the two are a zlib header."""
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def feed(self, chunk: bytes, room: int) -> bytes:
        """See `Decoder.feed`."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < _ZLIB_HEADER:
                self._head = chunk
                return b""
            self._head = None
            if not _is_zlib_header(chunk):
                self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        if self._decompressor.eof:  # zlib would keep all that lies behind the stream
            return b""
        try:
            return self._decompressor.decompress(chunk, room)
        except zlib.error as error:
            raise ValueError(str(error)) from None

    @property
    def rest(self) -> bytes:
        """What was fed and not decoded, for want of room."""
        return self._decompressor.unconsumed_tail

    def finish(self) -> None:
        """See `Decoder.finish`."""
        if not self._decompressor.eof:
            raise ValueError("the compressed stream is cut short")


_ZLIB_HEADER = 2
"""Bytes."""


def _is_zlib_header(data: bytes) -> bool:
    """Tell the zlib format (RFC 1950, 2.2) from bare deflate (RFC 1951), which begins with no such pair of bytes."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0  # noqa: PLR2004 - the method, and the check


def decoder_for(encoding: str) -> Decoder | None:
    """Choose a decoder by Content-Encoding.

    Raises:
        ValueError: for an encoding that was not offered.
    """
    word = encoding.strip().lower()
    if word in {"", "identity"}:
        return None
    if word in {"gzip", "x-gzip", "deflate"}:
        return Inflate(word)
    raise ValueError(f"the answer is encoded as {word!r}, which was not offered")


STEP = 65_536
"""Bytes that are decoded at once: zlib holds what one step yields twice."""


class BoundedBody:
    """A body as it comes in: decoded, and never more of it than one byte past what is allowed.

    It grows in one buffer, whose bytes are the result: pieces would cost an object each, and joining them all of it again.

    Args:
        decoder: of its encoding, if it has one.
        max_bytes: the largest size that is wanted, decoded.

    Attributes:
        full: whether there was more than is allowed.
    """

    __slots__ = ("_broken", "_buffer", "_decoder", "_fed", "_only", "_room", "full")

    def __init__(self, decoder: Decoder | None, max_bytes: int) -> None:
        self.full = False
        self._decoder = decoder
        self._room = max_bytes + 1
        self._only = b""
        """The first piece: as a rule there is no other, and it is the body."""
        self._buffer: BytesIO | None = None
        self._fed = False
        self._broken: ValueError | None = None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk as it came over the wire; False when no more is wanted."""
        if self.full or self._broken is not None:
            return False
        if self._decoder is None:
            return self._add(chunk if len(chunk) <= self._room else chunk[: self._room])
        return self._decode(self._decoder, chunk)

    def finish(self) -> bytes:
        """Return what was taken. Raises ValueError when its encoding is broken or was cut short."""
        if self._broken is not None:
            raise self._broken
        if self._decoder is not None and self._fed and not self.full:
            self._decoder.finish()
        return self._only if self._buffer is None else self._buffer.getvalue()

    def _decode(self, decoder: Decoder, chunk: bytes) -> bool:
        self._fed = True
        try:
            while True:
                limit = min(self._room, STEP)
                piece = decoder.feed(chunk, limit)
                if (
                    not self._add(piece) or len(piece) < limit
                ):  # else there may be more, though all of the chunk was read
                    return not self.full
                chunk = decoder.rest
        except ValueError as error:
            self._broken = error
            return False

    def _add(self, piece: bytes) -> bool:
        if self._buffer is not None:
            self._buffer.write(piece)
        elif not self._only:
            self._only = piece
        elif piece:
            self._buffer = BytesIO()
            self._buffer.write(self._only)
            self._buffer.write(piece)
        self._room -= len(piece)
        self.full = self._room <= 0
        return not self.full
