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


class Identity:
    """No encoding."""

    def feed(self, chunk: bytes, room: int) -> bytes:
        """See `Decoder.feed`."""
        return chunk[:room]

    def finish(self) -> None:
        """See `Decoder.finish`."""


class Inflate:
    """gzip and deflate; deflate with or without the zlib header, since servers send both."""

    def __init__(self, encoding: str) -> None:
        self._raw_allowed = encoding == "deflate"
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._started = False

    def feed(self, chunk: bytes, room: int) -> bytes:
        """See `Decoder.feed`."""
        try:
            piece = self._decompressor.decompress(chunk, room)
        except zlib.error as error:
            if self._started or not self._raw_allowed:
                raise ValueError(str(error)) from None
            self._raw_allowed = False
            self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            return self.feed(chunk, room)
        self._started = self._started or bool(piece)
        return piece

    def finish(self) -> None:
        """See `Decoder.finish`."""
        if not self._decompressor.eof:
            raise ValueError("the compressed stream is cut short")


def decoder_for(encoding: str) -> Decoder:
    """Choose a decoder by Content-Encoding.

    Raises:
        ValueError: for an encoding that was not offered.
    """
    word = encoding.strip().lower()
    if word in {"", "identity"}:
        return Identity()
    if word in {"gzip", "x-gzip", "deflate"}:
        return Inflate(word)
    raise ValueError(f"the answer is encoded as {word!r}, which was not offered")
