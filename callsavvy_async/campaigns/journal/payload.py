"""Packs the recipients of a chunk: rows and numbers as little-endian 64-bit integers, compressed by zlib."""

from __future__ import annotations

import hashlib
import sys
import zlib
from array import array
from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter

from callsavvy_async.bulk.plain_recipients import PlainRecipients
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns.errors import JournalDamagedError

_FASTEST = 1
_SMALL = (12, 5)
"""A window of 4 KiB and little memory, which take half of the time for the 1,600 bytes of a usual chunk to set up."""
_row, _number = attrgetter("row"), attrgetter("number")


def pack(recipients: Sequence[Recipient]) -> bytes:
    """Pack rows and numbers. An integer preserves a number, because E.164 allows no leading 0."""
    if isinstance(recipients, PlainRecipients):
        words = recipients.rows + recipients.numbers
    else:
        words = array("Q", map(_row, recipients))
        words.extend(map(int, map(_number, recipients)))
    packer = zlib.compressobj(_FASTEST, zlib.DEFLATED, *_SMALL)
    return packer.compress(_little_endian(words).tobytes()) + packer.flush()


def unpack(body: bytes) -> tuple[Recipient, ...]:
    """Unpack the recipients, without template fields.

    Raises:
        JournalDamagedError: the bytes are invalid.
    """
    words = _words(body)
    half = len(words) // 2
    return tuple(Recipient(f"+{number}", row=row) for row, number in zip(words[:half], words[half:], strict=True))


def unpack_numbers(body: bytes) -> array[int]:
    """Unpack only the numbers, as integers.

    Raises:
        JournalDamagedError: the bytes are invalid.
    """
    words = _words(body)
    return words[len(words) // 2 :]


def _words(body: bytes) -> array[int]:
    words = array("Q")
    with suppress(zlib.error, ValueError):
        words.frombytes(zlib.decompress(body))
        if len(words) % 2 == 0:
            return _little_endian(words)
    raise JournalDamagedError("the recipients of a chunk cannot be read back.")


def checksum(campaign: int, number: int, body: bytes, text: str | None) -> str:
    """Return a checksum of a payload and its place in the journal."""
    digest = hashlib.sha256(f"{campaign} {number} {text is None} ".encode())
    digest.update(body)
    digest.update((text or "").encode())
    return digest.hexdigest()[:16]


def _little_endian(words: array[int]) -> array[int]:
    if sys.byteorder == "big":  # pragma: no cover - CI runs on little-endian machines
        words.byteswap()
    return words
