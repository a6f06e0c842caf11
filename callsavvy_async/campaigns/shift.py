"""What the parts of a run share while it writes under one epoch: patience with an outage, and what it holds.

Theory: while the journal is away nothing is sent, since every send is written ahead; outcomes wait here, in the tasks that
bring them, and are written when it is back. Each write is tried again until it is done or patience is used up. A try may
have been committed without our hearing of it, so each of them recognises what it did before:

- a move finds its chunk where it was to go, under this very epoch. Nobody else moves a chunk there: only the task that
  holds the chunk does, one move after the other, and an epoch is of one run;
- what a move changes in the sums is written in its transaction, only when it did move;
- a claim, or the halves of a split, that were committed unheard of are chunks that this epoch has claimed and no task
  holds. So the run keeps count of what it holds, and gives back all else in the transaction in which it claims again. One
  at a time adds to what it holds, or an addition under way would be given back;
- a second epoch, begun where the first was unheard of, has a number of its own; the first never claims, and its lease
  ends it.
What is not written this way is not tried again: what a person decides, a load, the beginning of a run.
"""

from __future__ import annotations

from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.journal import repository
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.writer import Work, Writer

T = TypeVar("T")

_BETWEEN_TRIES = 0.5


@attrs.define
class Patience:
    """Waits an outage of the journal out."""

    writer: Writer
    seconds: float
    """For which a write is tried again; 0 once it was used up, or when nobody wants to wait."""
    outages: int = 0
    """Writes that failed, and may have been done all the same."""

    async def write(self, work: Work[T]) -> T:
        """Do a unit of work that recognises what it did before.

        Raises:
            JournalUnavailableError: the journal stayed away for too long.
        """
        began = anyio.current_time()
        while True:
            try:
                return await self.writer.run(work)
            except JournalUnavailableError:
                self.outages += 1
                if anyio.current_time() - began >= self.seconds:
                    self.seconds = 0
                    raise
                await anyio.sleep(_BETWEEN_TRIES)


@attrs.define(eq=False)
class Shift:
    """A run under one epoch."""

    campaign: int
    epoch: int
    patience: Patience
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
        return await self.patience.write(work)

    async def write_addition(self, work: Work[T]) -> T:
        """Do a unit of work that claims chunks; the caller holds `adding`. A try that failed leaves a doubt."""
        outages = self.patience.outages
        try:
            return await self.write(work)
        finally:
            self.doubtful = self.doubtful or self.patience.outages != outages

    async def claim(self, work: Work[T]) -> T:
        """Do a unit of work that claims chunks, after giving back what was claimed unheard of, also by a try of its own."""
        outages, held = self.patience.outages, frozenset(self.held)

        def claim_anew(cursor: Cursor) -> T:
            if self.doubtful or self.patience.outages != outages:
                repository.give_back_all_but(cursor, self.campaign, self.epoch, held)
            return work(cursor)

        claimed = await self.write_addition(claim_anew)
        self.doubtful = False
        return claimed
