"""The state that the parts of a run share: its writer and the chunks that it holds.

Theory: a retried write may repeat a transaction whose COMMIT was not confirmed. Each kind of write detects this:

- Move. The chunk is already in the target state under this run. Only the task that holds the chunk moves it there, one
  move after the other. A repeated move therefore changes nothing, and neither do the reservations that depend on it.
- Claim and split. An unconfirmed transaction leaves claimed chunks that no task holds. The run keeps the numbers of its
  chunks in `held`, and releases all other claimed chunks in the transaction of its next claim. Additions to `held` are
  serialised; otherwise a claim would release the chunks of a concurrent addition.
- Begin. A repeated begin creates a second run. The first run never claims, and ends with its lease.

Writes of other kinds are not retried: decisions of a person, loads, and resends.
"""

from __future__ import annotations

import math
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.journal import repository, runs
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Work

T = TypeVar("T")


@attrs.define(eq=False)
class RunContext:
    """The shared state of one run."""

    campaign: int
    run_id: int
    retrying: RetryingWriter
    reach: Reach
    """Whom the campaign and others reached."""
    held: set[int] = attrs.field(factory=set[int])
    """Numbers of the chunks that the run claimed and has not settled."""
    settled: int = 0
    """Number of settled requests."""
    adding: anyio.Lock = attrs.field(factory=anyio.Lock)
    """Serialises additions to `held`, from before the write until memory reflects it."""
    doubtful: bool = False
    """True if the journal may contain unconfirmed claims of this run."""

    _lease_ends: float = math.inf

    def renew_lease(self, at: float) -> None:
        """Extend the lease after a heartbeat that began at a time of the event loop's clock."""
        lease = self.retrying.writer.database.lease
        self._lease_ends = math.inf if lease is None else at + lease

    @property
    def lease_ended(self) -> bool:
        """True if other processes may consider the run dead, for example because this process was suspended."""
        return anyio.current_time() >= self._lease_ends

    async def write(self, work: Work[T], *, turn: bool = False) -> T:
        """Run a transaction that detects its own repetition, and retry it during an outage. For `turn` see `Writer.run`."""
        return await self.retrying.write(work, turn=turn)

    async def end(self) -> None:
        """End the run. If the journal is unavailable, defer the write; otherwise the next run would wait for its chunks."""
        try:
            await self.write(lambda cursor: runs.end(cursor, self.campaign, self.run_id))
        except JournalUnavailableError:
            self.retrying.writer.defer(lambda cursor: runs.end_late(cursor, self.campaign, self.run_id))
            raise

    async def write_addition(self, work: Work[T]) -> T:
        """Run a transaction that adds claimed chunks, while holding `adding`. A failed attempt sets `doubtful`."""
        outages = self.retrying.outages
        try:
            return await self.write(work)
        finally:
            self.doubtful = self.doubtful or self.retrying.outages != outages

    async def claim(self, work: Work[T]) -> T:
        """Run a transaction that claims chunks, after releasing unconfirmed claims, including those of its own attempts."""
        outages, held = self.retrying.outages, frozenset(self.held)

        def release_and_claim(cursor: Cursor) -> T:
            if self.doubtful or self.retrying.outages != outages:
                repository.release_all_but(cursor, self.campaign, self.run_id, held)
            return work(cursor)

        claimed = await self.write_addition(release_and_claim)
        self.doubtful = False
        return claimed
