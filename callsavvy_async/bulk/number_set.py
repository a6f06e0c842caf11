"""A set of phone numbers that takes 12 to 24 bytes a number, where a ``set[str]`` takes about 120.

A number is at most 15 digits that do not begin with 0 (E.164), so it is told by its integer value, which fits 8
bytes. The integers lie in one flat array, an open-addressing hash table with linear probing (Knuth, TAOCP 3, 6.4): a
key belongs at its hash; if another key lies there, in the next free slot. At most two slots in three are taken before
the table doubles, which keeps an unsuccessful search at 5 probes on average (Knuth: (1 + 1/(1 - a)^2) / 2) in the
worst moment. Fibonacci hashing spreads the long runs of neighbouring numbers that real lists hold.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from callsavvy_async.phone_numbers import normalise_number

_EMPTY = 0
_FIRST_BITS = 6
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2**64 divided by the golden ratio, made odd
_WORD_BITS = 64


class NumberSet:
    """A growing set of phone numbers; what is added or looked for is normalised first.

    Raises:
        InvalidRequestError: from the constructor, ``add`` and ``in``, for what is no phone number.
    """

    __slots__ = ("_count", "_mask", "_shift", "_slots")

    def __init__(self, numbers: Iterable[str] = ()) -> None:
        self._count = 0
        self._allot(_FIRST_BITS)
        for number in numbers:
            self.add(number)

    def add(self, number: str) -> bool:
        """Add a number; False if it was there already."""
        key = int(normalise_number(number))
        index = self._find(key)
        if self._slots[index]:
            return False
        self._slots[index] = key
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._double()
        return True

    def __contains__(self, number: str) -> bool:
        return self._slots[self._find(int(normalise_number(number)))] != _EMPTY

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<NumberSet of {self._count:,}>"

    def _find(self, key: int) -> int:
        """Return the index of the slot that holds the key, or of the free one where it belongs."""
        slots, mask = self._slots, self._mask
        index = (key * _GOLDEN >> self._shift) & mask
        while (found := slots[index]) and found != key:
            index = (index + 1) & mask
        return index

    def _double(self) -> None:
        keys = self._slots
        self._allot(_WORD_BITS - self._shift + 1)
        for key in filter(None, keys):
            self._slots[self._find(key)] = key

    def _allot(self, bits: int) -> None:
        self._slots = array("Q", [_EMPTY]) * (1 << bits)
        self._mask = (1 << bits) - 1
        self._shift = _WORD_BITS - bits
