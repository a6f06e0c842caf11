"""Decompress responses in bounded memory, so that a gzip bomb is cut off and never unpacked."""

from __future__ import annotations

import zlib
from io import BytesIO

ACCEPTED_ENCODINGS = "gzip, deflate"
"""Accept-Encoding of requests (RFC 9110, 12.5.3)."""


class Inflate:
    """Decodes a body chunk by chunk: gzip, or deflate with or without the zlib header, because servers send both."""

    def __init__(self, encoding: str) -> None:
        self._head: bytes | None = b"" if encoding == "deflate" else None
        """The first byte, kept until the second one shows whether the two are a zlib header."""
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def feed(self, chunk: bytes, room: int) -> bytes:
        """Decode a chunk into at most `room` bytes. Raises ValueError if the chunk is broken."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < _ZLIB_HEADER:
                self._head = chunk
                return b""
            self._head = None
            if not _is_zlib_header(chunk):
                self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        if self._decompressor.eof:  # zlib would keep all bytes after the stream
            return b""
        try:
            return self._decompressor.decompress(chunk, room)
        except zlib.error as error:
            raise ValueError(str(error)) from None

    @property
    def rest(self) -> bytes:
        """Input that is not decoded yet, for lack of room."""
        return self._decompressor.unconsumed_tail

    def finish(self) -> None:
        """Raise ValueError if the stream ended too early."""
        if not self._decompressor.eof:
            raise ValueError("the compressed stream is cut short")


_ZLIB_HEADER = 2
"""Bytes."""


def _is_zlib_header(data: bytes) -> bool:
    """Return True for the zlib format (RFC 1950, 2.2), False for bare deflate (RFC 1951)."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0  # noqa: PLR2004 - the method, and the check


def decoder_for(encoding: str) -> Inflate | None:
    """Return the decoder of a Content-Encoding.

    Raises:
        ValueError: The request did not offer this encoding.
    """
    word = encoding.strip().lower()
    if word in {"", "identity"}:
        return None
    if word in {"gzip", "x-gzip", "deflate"}:
        return Inflate(word)
    raise ValueError(f"the response is encoded as {word!r}; the request offered {ACCEPTED_ENCODINGS}")


STEP = 65_536
"""Bytes decoded at once: zlib holds the result of one step twice."""


class BoundedBody:
    """Decodes a body as it arrives, and keeps at most one byte more than the maximum.

    One buffer grows and becomes the result. A list of pieces would cost one object each, and a copy to join them.

    Args:
        decoder: Decoder of the body's encoding. None for an unencoded body.
        max_bytes: Maximum decoded size in bytes.

    Attributes:
        full: True if the body exceeds the maximum.
    """

    __slots__ = ("_broken", "_buffer", "_decoder", "_fed", "_only", "_room", "full")

    def __init__(self, decoder: Inflate | None, max_bytes: int) -> None:
        self.full: bool = False
        self._decoder = decoder
        self._room = max_bytes + 1
        self._only = b""
        """The first piece, which usually is the whole body."""
        self._buffer: BytesIO | None = None
        self._fed = False
        self._broken: ValueError | None = None

    def take(self, chunk: bytes) -> bool:
        """Add an encoded chunk. Returns False if the body is full or broken, so that reading can stop."""
        if self.full or self._broken is not None:
            return False
        if self._decoder is None:
            return self._add(chunk if len(chunk) <= self._room else chunk[: self._room])
        return self._decode(self._decoder, chunk)

    def finish(self) -> bytes:
        """Return the decoded body. Raises ValueError if its encoding is broken or cut short."""
        if self._broken is not None:
            raise self._broken
        if self._decoder is not None and self._fed and not self.full:
            self._decoder.finish()
        return self._only if self._buffer is None else self._buffer.getvalue()

    def _decode(self, decoder: Inflate, chunk: bytes) -> bool:
        self._fed = True
        try:
            while True:
                limit = min(self._room, STEP)
                piece = decoder.feed(chunk, limit)
                if not self._add(piece) or len(piece) < limit:  # a full piece: zlib may hold more output
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
