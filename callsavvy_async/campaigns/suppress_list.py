"""The suppress list of a journal: numbers that none of its campaigns is sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs

from callsavvy_async.bulk.phone_parsing import number_reader
from callsavvy_async.campaigns.journal import suppression
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.suppression import Suppressed
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.steering import user_name
from callsavvy_async.tracebacks import private_arguments

T = TypeVar("T")


@private_arguments
@attrs.frozen
class SuppressList:
    """The suppress list of an open journal: ``journal.suppress_list``.

    It also works on a journal that is open with ``read_only=True``, while other processes write it.
    """

    _writer: Writer = attrs.field(repr=False)

    async def add(self, *numbers: str, region: str | None = None, author: str | None = None) -> int:
        """Add numbers. No run sends to them from its next claim on; reports list them as ``skipped: suppressed``.

        Args:
            *numbers: phone numbers.
            region: ISO 3166 code of the country whose national numbers are accepted (extra ``phone``).
            author: who adds them; by default the user and the host.

        Returns:
            The number of entries that are new.

        Raises:
            InvalidRequestError: a number is not valid; none was added.
            JournalError: the list cannot be written.
        """
        keys, who = _keys(numbers, region), author or user_name()
        return await self._steer(lambda cursor: suppression.add(cursor, keys, who))

    async def remove(self, *numbers: str, region: str | None = None) -> int:
        """Remove numbers. Recipients who were left out of a campaign before stay left out.

        Args:
            *numbers: phone numbers.
            region: see `add`.

        Returns:
            The number of entries that were on the list.

        Raises:
            InvalidRequestError: a number is not valid; none was removed.
            JournalError: the list cannot be written.
        """
        keys = _keys(numbers, region)
        return await self._steer(lambda cursor: suppression.remove(cursor, keys))

    async def read(self) -> tuple[Suppressed, ...]:
        """Return the list, the oldest entry first."""
        return await self._steer(suppression.everything)

    async def _steer(self, work: Callable[[Cursor], T]) -> T:
        return await self._writer.run(lambda cursor: self._writer.database.steer(cursor, work), alone=True)


def _keys(numbers: Iterable[str], region: str | None) -> frozenset[int]:
    """Return the integers of numbers, normalised as recipients are."""
    read = number_reader(region=region)
    return frozenset(int(read(number)) for number in numbers)
