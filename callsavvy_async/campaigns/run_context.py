"""What the parts of a run share while it writes under one run: patience with an outage, and what it holds.

Theory: a write that is tried again may have been committed without our hearing of it, so each recognises what it did before:

- a move finds its chunk where it was to go, under this very run. Nobody else moves a chunk there: only the task that
  holds the chunk does, one move after the other, and a run is of one run;
- what a move changes in the sums is written in its transaction, only when it did move;
- a claim, or the halves of a split, that were committed unheard of are chunks that this run has claimed and no task
  holds. So the run keeps count of what it holds, and gives back all else in the transaction in which it claims again. One
  at a time adds to what it holds, or an addition under way would be given back;
- a second run_id, begun where the first was unheard of, has a number of its own; the first never claims, and its lease
  ends it.
What is not written this way is not tried again: what a person decides, a load, the beginning of a run.
"""

from __future__ import annotations

from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.journal import repository, runs
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Work

T = TypeVar("T")


@attrs.define(eq=False)
class RunContext:
    """A run under one run."""

    campaign: int
    run_id: int
    retrying: RetryingWriter
    held: set[int] = attrs.field(factory=set[int])
    """The numbers of the chunks that it claimed and did not settle."""
    settled: int = 0
    """Calls."""
    adding: anyio.Lock = attrs.field(factory=anyio.Lock)
    """Held by who adds to what is held, from before it is written until it is known here."""
    doubtful: bool = False
    """Whether it may have claimed what it does not know of."""

    async def write(self, work: Work[T]) -> T:
        """Do a unit of work that recognises what it did before."""
        return await self.retrying.write(work)

    async def end(self) -> None:
        """End the run. Where that cannot be written it is owed, or the next run would wait for what this one holds."""
        try:
            await self.write(lambda cursor: runs.end(cursor, self.campaign, self.run_id))
        except JournalUnavailableError:
            self.retrying.writer.owe(lambda cursor: runs.end_late(cursor, self.campaign, self.run_id))
            raise

    async def write_addition(self, work: Work[T]) -> T:
        """Do a unit of work that claims chunks; the caller holds `adding`. A try that failed leaves a doubt."""
        outages = self.retrying.outages
        try:
            return await self.write(work)
        finally:
            self.doubtful = self.doubtful or self.retrying.outages != outages

    async def claim(self, work: Work[T]) -> T:
        """Do a unit of work that claims chunks, after giving back what was claimed unheard of, also by a try of its own."""
        outages, held = self.retrying.outages, frozenset(self.held)

        def claim_anew(cursor: Cursor) -> T:
            if self.doubtful or self.retrying.outages != outages:
                repository.give_back_all_but(cursor, self.campaign, self.run_id, held)
            return work(cursor)

        claimed = await self.write_addition(claim_anew)
        self.doubtful = False
        return claimed
