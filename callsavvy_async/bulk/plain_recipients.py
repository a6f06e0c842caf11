"""Recipients without fields, in 16 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from callsavvy_async.bulk.recipients import Recipient


class PlainRecipients(Sequence[Recipient]):
    """Recipients without fields. One becomes a `Recipient`, which takes 1 µs, only when it is asked for.

    Args:
        numbers: their numbers, as integers.
        rows: their positions in the input.
    """

    def __init__(self, numbers: array[int], rows: array[int]) -> None:
        self.numbers = numbers
        self.rows = rows

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Recipient: ...
    @overload
    def __getitem__(self, index: slice) -> PlainRecipients: ...
    def __getitem__(self, index: int | slice) -> Recipient | PlainRecipients:
        if isinstance(index, slice):
            return PlainRecipients(self.numbers[index], self.rows[index])
        return Recipient(f"+{self.numbers[index]}", row=self.rows[index])

    def __iter__(self) -> Iterator[Recipient]:
        return (Recipient(f"+{number}", row=row) for number, row in zip(self.numbers, self.rows, strict=True))

    def __add__(self, other: PlainRecipients) -> PlainRecipients:
        return PlainRecipients(self.numbers + other.numbers, self.rows + other.rows)
