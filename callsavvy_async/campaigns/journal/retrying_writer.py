"""Retries writes while the journal is unavailable.

Theory: during an outage nothing is sent, because the journal records each request first. Outcomes wait in their tasks.
Each write is retried until it succeeds or the time limit passes. A failed attempt may have been committed, so each write
must detect its own repetition; `run_context.py` explains how.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.journal.writer import Work, Writer

T = TypeVar("T")

_BETWEEN_ATTEMPTS = 0.5
"""Seconds."""


@attrs.define
class RetryingWriter:
    """A writer that retries during an outage of the journal."""

    writer: Writer
    seconds: float
    """Seconds for which a write is retried; 0 after the first write that failed."""
    outages: int = 0
    """Number of failed attempts, each of which may have been committed."""

    async def open(self) -> None:
        """Open the journal.

        Raises:
            JournalUnavailableError: the journal stayed unavailable for too long.
            JournalError: the journal cannot be opened.
        """
        await self.retry(self.writer.open)

    async def write(self, work: Work[T], *, turn: bool = False) -> T:
        """Run a transaction that detects its own repetition. For `turn` see `Writer.run`.

        Raises:
            JournalUnavailableError: the journal stayed unavailable for too long.
        """
        return await self.retry(lambda: self.writer.run(work, turn=turn))

    async def retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an operation on the journal while the journal is unavailable.

        Raises:
            JournalUnavailableError: the journal stayed unavailable for too long.
        """
        ends_at = None
        while True:
            try:
                return await attempt()
            except JournalUnavailableError:
                self.outages += 1
                ends_at = ends_at or anyio.current_time() + self.seconds
                if anyio.current_time() >= ends_at:
                    self.seconds = 0
                    raise
                await anyio.sleep(_BETWEEN_ATTEMPTS)
