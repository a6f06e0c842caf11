"""The recipients of a chunk as bytes: their rows and numbers as 64-bit integers, little-endian, deflated."""

from __future__ import annotations

import hashlib
import sys
import zlib
from array import array
from collections.abc import Iterable

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns.errors import JournalDamagedError

_FASTEST = 1


def pack(recipients: Iterable[Recipient]) -> bytes:
    """Pack rows and numbers. A number is told by its digits: it never begins with 0 (E.164)."""
    people = tuple(recipients)
    words = array("Q", [person.row for person in people])
    words.extend(int(person.number) for person in people)
    return zlib.compress(_little_endian(words).tobytes(), _FASTEST)


def unpack(body: bytes) -> tuple[Recipient, ...]:
    """Return the recipients, without the fields that their text was made of.

    Raises:
        JournalDamagedError: these are no bytes of `pack`.
    """
    words = _words(body)
    half = len(words) // 2
    return tuple(Recipient(f"+{number}", row=row) for row, number in zip(words[:half], words[half:], strict=True))


def unpack_numbers(body: bytes) -> array[int]:
    """Return the numbers alone, as integers.

    Raises:
        JournalDamagedError: these are no bytes of `pack`.
    """
    words = _words(body)
    return words[len(words) // 2 :]


def _words(body: bytes) -> array[int]:
    words = array("Q")
    try:
        words.frombytes(zlib.decompress(body))
    except (zlib.error, ValueError):
        raise JournalDamagedError("the recipients of a chunk cannot be read back.") from None
    if len(words) % 2:
        raise JournalDamagedError("the recipients of a chunk cannot be read back.")
    return _little_endian(words)


def checksum(campaign: int, number: int, body: bytes, text: str | None) -> str:
    """Return what tells a payload that is whole and in its place from any other."""
    digest = hashlib.sha256(f"{campaign} {number} {text is None} ".encode())
    digest.update(body)
    digest.update((text or "").encode())
    return digest.hexdigest()[:16]


def _little_endian(words: array[int]) -> array[int]:
    if sys.byteorder == "big":  # pragma: no cover - no such machine at hand
        words.byteswap()
    return words
