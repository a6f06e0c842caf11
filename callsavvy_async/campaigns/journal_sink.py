"""Records the outcome of every chunk, first durably in the journal, then in the report."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.protocols import ChunkDeferredError
from callsavvy_async.bulk.report import ChunkResult
from callsavvy_async.campaigns.errors import ChunkLostError
from callsavvy_async.campaigns.journal import commands, repository
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.commands import Departure
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.journal_source import do_nothing
from callsavvy_async.campaigns.report import STATE_OF, CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.states import Actor, State

_REJECTED_LATE = "rejected for a recipient, after the run lost its lease"


@attrs.define
class JournalSink:
    """The sink of a run. While the journal is unavailable, outcomes wait in memory and nothing more is sent."""

    context: RunContext
    common: str | None
    """Text of chunks that store no text."""
    report: CampaignReport
    is_open: Callable[[str], bool]
    """Returns True if requests of these time zones may leave now."""
    budget: CampaignBudget | None
    """Budget of the campaign; None for no limit."""
    on_hold: Callable[[], object] = do_nothing
    """Called when a command keeps a request from leaving."""
    _unwritten: Decimal = Decimal(0)
    """Units reported beyond the estimates, and not in the journal yet."""

    def reserve(self, chunk: Chunk) -> bool:  # noqa: ARG002 - the claim reserved the chunk's estimate
        """Return True."""
        return True

    def release(self, result: ChunkResult) -> None:
        """Do nothing: `settle` adjusts the reservation in the transaction that writes the outcome."""

    def on_wait(self) -> None:
        """Do nothing: the load fixed the size of each chunk."""

    async def before_sending(self, chunk: Chunk, request_id: str) -> None:
        """Mark a chunk as in flight, durably.

        Args:
            chunk: the chunk.
            request_id: identifier of its request, for the journal.

        Raises:
            ChunkDeferredError: the chunk is pending again, because its window closed while it waited, because costs
                reported meanwhile used up the budget, because of a command, because another campaign reached one of its
                recipients, or because the lease of its run ended.
        """
        context, number = self.context, chunk.number
        if self.is_open(chunk.zone):
            departure, left = await context.write(lambda cursor: self._depart(cursor, chunk, request_id), turn=True)
            departed = departure in {Departure.ALLOWED, Departure.INDEXED}
            if departure is Departure.FORBIDDEN:
                self.on_hold()
            elif (
                departed and context.lease_ended
            ):  # a pause may be confirmed without this run, which was suspended meanwhile
                unsent = ChunkUpdate(State.PENDING)
                await context.write(
                    lambda cursor: repository.settle(cursor, context.campaign, context.run_id, number, unsent)
                )
                context.held.discard(number)
                raise ChunkDeferredError
            elif departed and (left is None or left >= self._unwritten):
                return
        await context.write(lambda cursor: repository.withdraw(cursor, context.campaign, context.run_id, number))
        context.held.discard(number)
        raise ChunkDeferredError

    async def before_waiting(self, chunk: Chunk) -> None:
        """Mark a chunk that waits for a retry as claimed, durably, so that a kill now does not make it unknown."""
        await self.context.write(lambda cursor: self._move(cursor, chunk.number, State.CLAIMED))

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Replace a rejected chunk by its two halves."""
        context, chunk = self.context, result.chunk
        async with context.adding:
            try:
                halves = await context.write_addition(
                    lambda cursor: repository.split(cursor, context.campaign, context.run_id, chunk, common=self.common)
                )
            except ChunkLostError:  # another process declared it unknown; its rejection is certain
                await self._settle(chunk, ChunkUpdate(State.REJECTED, detail=_REJECTED_LATE))
                return ()
            context.held.discard(chunk.number)
            context.held.update(half.number for half in halves)
        return halves

    async def settle(self, result: ChunkResult) -> None:
        """Record an outcome durably, then count it."""
        receipt = result.receipt
        update = ChunkUpdate(
            STATE_OF[result.state],
            cost=None if receipt is None else receipt.cost,
            message_id=None if receipt is None else receipt.message_id,
            detail=result.detail,
        )
        await self._settle(result.chunk, update)
        self.report.settle(result)

    async def _settle(self, chunk: Chunk, update: ChunkUpdate) -> None:
        context, estimate = self.context, chunk.estimate
        beyond = max(repository.spent(update, estimate) - estimate, Decimal(0))
        self._unwritten += beyond
        await context.write(
            lambda cursor: repository.settle(cursor, context.campaign, context.run_id, chunk.number, update)
        )
        self._unwritten -= beyond
        context.held.discard(chunk.number)
        context.settled += update.state is not State.PENDING

    def _depart(self, cursor: Cursor, chunk: Chunk, request_id: str) -> tuple[Departure, Decimal | None]:
        """Mark a chunk as in flight if commands and the frequency cap allow it and the budget covers it.

        Returns:
            What became of it; and the units left, None for no limit.
        """
        context, numbers = self.context, list(map(int, chunk.numbers))
        left = None if self.budget is None else self.budget.left(cursor, context.campaign)
        if left is not None and left < 0:
            return Departure.ALLOWED, left
        if context.reach.by_others(cursor, numbers):
            return Departure.TOO_SOON, left
        departure = commands.depart(cursor, context.campaign, chunk.number, context.run_id, request_id)
        if departure is Departure.INDEXED:
            context.reach.record(cursor, chunk.number, numbers)
        return departure, left

    def _move(self, cursor: Cursor, number: int, to: State) -> None:
        context = self.context
        repository.move(cursor, context.campaign, number, ChunkUpdate(to), by=Actor.OWNER, run_id=context.run_id)
