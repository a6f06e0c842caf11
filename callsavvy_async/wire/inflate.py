"""Decompress answers in bounded memory: a gzip bomb is cut off, never unpacked."""

from __future__ import annotations

import zlib
from typing import Protocol

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What requests offer (RFC 9110, 12.5.3)."""


class Decoder(Protocol):
    """Decodes a body chunk by chunk."""

    def feed(self, chunk: bytes, room: int) -> bytes:
        """Decode a chunk into at most `room` bytes. Raises ValueError when it is broken."""
        ...

    def finish(self) -> None:
        """Raise ValueError when the stream ended too early."""
        ...


class Inflate:
    """gzip and deflate; deflate with or without the zlib header, since servers send both."""

    def __init__(self, encoding: str) -> None:
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._head: bytes | None = b"" if encoding == "deflate" else None
        """What was fed so far, kept while it may still turn out to have no zlib header."""

    def feed(self, chunk: bytes, room: int) -> bytes:
        """See `Decoder.feed`."""
        try:
            piece = self._decompressor.decompress(chunk, room)
        except zlib.error as error:
            if self._head is None:
                raise ValueError(str(error)) from None
            fed, self._head = self._head + chunk, None
            self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            return self.feed(fed, room)
        if self._head is not None:
            self._head = None if piece else self._head + chunk
        return piece

    def finish(self) -> None:
        """See `Decoder.finish`."""
        if not self._decompressor.eof:
            raise ValueError("the compressed stream is cut short")


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


class BoundedBody:
    """A body as it comes in: decoded, and never more of it than one byte past what is allowed.

    Args:
        decoder: of its encoding, if it has one.
        max_bytes: the largest size that is wanted, decoded.

    Attributes:
        full: whether there was more than is allowed.
    """

    __slots__ = ("_broken", "_decoder", "_pieces", "_room", "full")

    def __init__(self, decoder: Decoder | None, max_bytes: int) -> None:
        self.full = False
        self._decoder = decoder
        self._room = max_bytes + 1
        self._pieces: list[bytes] = []
        self._broken: ValueError | None = None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk as it came over the wire; False when no more is wanted."""
        if self.full or self._broken is not None:
            return False
        try:
            piece = chunk[: self._room] if self._decoder is None else self._decoder.feed(chunk, self._room)
        except ValueError as error:
            self._broken = error
            return False
        self._pieces.append(piece)
        self._room -= len(piece)
        self.full = self._room <= 0
        return not self.full

    def finish(self) -> bytes:
        """Return what was taken. Raises ValueError when its encoding is broken or was cut short."""
        if self._broken is not None:
            raise self._broken
        if self._decoder is not None and self._pieces and not self.full:
            self._decoder.finish()
        return b"".join(self._pieces)
