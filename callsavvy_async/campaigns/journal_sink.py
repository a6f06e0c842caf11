"""Takes down what becomes of every chunk: first in the journal, durably, then in the report."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.fan_out import ChunkDeferredError
from callsavvy_async.bulk.report import ChunkResult
from callsavvy_async.campaigns.errors import ChunkLostError
from callsavvy_async.campaigns.journal import repository
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import Transition
from callsavvy_async.campaigns.report import STATE_OF, CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.states import Actor, State

_REJECTED_LATE = "rejected for a recipient, after the run was taken for dead"


@attrs.define
class JournalSink:
    """The sink of a run. While the journal cannot be written, outcomes wait here in memory, and nothing more is sent."""

    context: RunContext
    common: str | None
    """The text of chunks that have none of their own."""
    report: CampaignReport
    is_open: Callable[[str], bool]
    """Whether requests of these time zones may leave now."""
    allowance: CampaignBudget | None
    """What may be spent; None for no limit."""
    _unwritten: Decimal = Decimal(0)
    """Units that were reported beyond their estimates, and are not in the journal yet."""

    def reserve(self, chunk: Chunk) -> bool:  # noqa: ARG002 - the source claims no more than may be spent
        """Return True."""
        return True

    def release(self, result: ChunkResult) -> None:
        """Do nothing: `settle` does, in the transaction that writes the outcome."""

    def on_wait(self) -> None:
        """Do nothing: chunks were cut when the recipients were loaded."""

    async def before_sending(self, chunk: Chunk) -> None:
        """Make it durable that a chunk is in flight; or put it back.

        It is put back when its window closed while it waited for its turn, or when what was reported meanwhile leaves no
        room for it.
        """
        context, number = self.context, chunk.number
        if self.is_open(chunk.zone):
            left = await context.write(lambda cursor: self._depart(cursor, number))
            if left is None or left >= self._unwritten:
                return
        await context.write(lambda cursor: repository.retreat(cursor, context.campaign, context.run_id, number))
        context.held.discard(number)
        raise ChunkDeferredError

    async def before_waiting(self, chunk: Chunk) -> None:
        """Make it durable that a chunk is not in flight while it waits: whoever kills the process then makes no unknown."""
        await self._move(chunk, State.CLAIMED)

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Put two halves in the place of a rejected chunk."""
        context, chunk = self.context, result.chunk
        async with context.adding:
            try:
                halves = await context.write_addition(
                    lambda cursor: repository.split(cursor, context.campaign, context.run_id, chunk, common=self.common)
                )
            except ChunkLostError:  # it was declared unknown in the meantime; that it was rejected, we know
                await self._settle(chunk, Transition(State.REJECTED, detail=_REJECTED_LATE))
                return ()
            context.held.discard(chunk.number)
            context.held.update(half.number for half in halves)
        return halves

    async def settle(self, result: ChunkResult) -> None:
        """Make an outcome durable, and count it."""
        receipt = result.receipt
        outcome = Transition(
            STATE_OF[result.state],
            cost=None if receipt is None else receipt.cost,
            message_id=None if receipt is None else receipt.message_id,
            detail=result.detail,
        )
        await self._settle(result.chunk, outcome)
        self.report.settle(result)

    async def _settle(self, chunk: Chunk, outcome: Transition) -> None:
        context, estimate = self.context, chunk.estimate
        beyond = max(repository.spent(outcome, estimate) - estimate, Decimal(0))
        self._unwritten += beyond
        await context.write(
            lambda cursor: repository.settle(
                cursor, context.campaign, context.run_id, chunk.number, outcome, estimate=estimate
            )
        )
        self._unwritten -= beyond
        context.held.discard(chunk.number)
        context.settled += outcome.state is not State.PENDING

    def _depart(self, cursor: Cursor, number: int) -> Decimal | None:
        """Write down that a chunk goes in flight, if there is room for it; return the units that are left."""
        context = self.context
        left = None if self.allowance is None else self.allowance.left(cursor, context.campaign)
        if left is None or left >= 0:
            repository.depart(cursor, context.campaign, context.run_id, number)
        return left

    async def _move(self, chunk: Chunk, to: State) -> None:
        context, outcome = self.context, Transition(to)
        await context.write(
            lambda cursor: repository.move(
                cursor, context.campaign, chunk.number, outcome, by=Actor.OWNER, run_id=context.run_id
            )
        )
