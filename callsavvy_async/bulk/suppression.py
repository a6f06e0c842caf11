"""Collect the numbers that must get nothing."""

from __future__ import annotations

from collections.abc import Iterable

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.phone_parsing import number_reader
from callsavvy_async.errors import InvalidRequestError


def suppression(
    numbers: Iterable[str] | NumberSet, *, region: str | None = None, source: str = "the suppress list"
) -> NumberSet:
    """Collect suppressed numbers, read as the recipients' are. A `NumberSet` is returned as it is.

    Raises:
        InvalidRequestError: an entry is not a phone number. The error names its position in the source, counted from 1.
    """
    if isinstance(numbers, NumberSet):
        return numbers
    if isinstance(numbers, str):
        raise InvalidRequestError("suppress is a str; give a list of numbers, or read_suppressed(path) for a file.")
    read_number = number_reader(region=region)
    suppressed = NumberSet()
    for position, number in enumerate(numbers, 1):
        try:
            suppressed.add(read_number(number))
        except InvalidRequestError as error:
            raise InvalidRequestError(
                f"entry {position} of {source} is not valid, so its owner might get a message; correct it: {error}"
            ) from None
    return suppressed
