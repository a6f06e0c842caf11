"""Waiting out an outage of the journal.

Theory: while the journal is away nothing is sent, since every send is written ahead; outcomes wait in the tasks that bring
them, and are written when it is back. Each write is tried again until it is done or patience is used up. A try may have
been committed without our hearing of it, so each of them recognises what it did before; `context.py` says how.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.journal.writer import Work, Writer

T = TypeVar("T")

_BETWEEN_TRIES = 0.5


@attrs.define
class RetryingWriter:
    """Waits an outage of the journal out."""

    writer: Writer
    seconds: float
    """For which something is tried again; 0 once it was used up, or when nobody wants to wait."""
    outages: int = 0
    """Tries that failed, and may have been done all the same."""

    async def open(self) -> None:
        """Open the journal.

        Raises:
            JournalUnavailableError: it stayed away for too long.
            JournalError: it cannot be opened at all.
        """
        await self._until_done(self.writer.open)

    async def write(self, work: Work[T]) -> T:
        """Do a unit of work that recognises what it did before.

        Raises:
            JournalUnavailableError: the journal stayed away for too long.
        """
        return await self._until_done(lambda: self.writer.run(work))

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        began = anyio.current_time()
        while True:
            try:
                return await attempt()
            except JournalUnavailableError:
                self.outages += 1
                if anyio.current_time() - began >= self.seconds:
                    self.seconds = 0
                    raise
                await anyio.sleep(_BETWEEN_TRIES)
