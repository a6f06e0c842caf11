"""Takes down what becomes of every chunk: first in the journal, durably, then in the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.fan_out import PutBackError
from callsavvy_async.bulk.report import ChunkResult
from callsavvy_async.campaigns import store
from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.report import STATE_OF, CampaignReport
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import Mover, State
from callsavvy_async.campaigns.store import Outcome
from callsavvy_async.campaigns.writer import Work, Writer

T = TypeVar("T")

_BETWEEN_TRIES = 0.5


@attrs.define
class JournalSink:
    """The sink of a run. While the journal cannot be written, outcomes wait here in memory, and nothing more is sent."""

    writer: Writer
    campaign: int
    epoch: int
    spec: Spec
    report: CampaignReport
    patience: float
    """Seconds for which an outage of the journal is waited out."""
    is_open: Callable[[str], bool]
    """Whether calls of these time zones may leave now."""

    async def before_sending(self, chunk: Chunk) -> None:
        """Make it durable that a chunk is in flight; or put it back, when its window closed while it waited for its turn."""
        if not self.is_open(chunk.zone):
            await self._write(lambda cursor: store.release(cursor, self.campaign, self.epoch, (chunk.number,)))
            raise PutBackError
        await self._move(chunk, Outcome(State.IN_FLIGHT))

    async def before_waiting(self, chunk: Chunk) -> None:
        """Make it durable that a chunk is not in flight while it waits: whoever kills the process then makes no unknown."""
        await self._move(chunk, Outcome(State.CLAIMED))

    async def split(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Put two halves in the place of a rejected chunk."""
        return await self._write(lambda cursor: store.split(cursor, self.campaign, self.epoch, chunk, self.spec))

    async def settle(self, result: ChunkResult) -> None:
        """Make an outcome durable, and count it."""
        receipt = result.receipt
        outcome = Outcome(
            STATE_OF[result.state],
            cost=None if receipt is None else receipt.cost,
            message_id=None if receipt is None else receipt.message_id,
            detail=result.detail,
        )
        await self._move(result.chunk, outcome)
        self.report.settle(result)

    async def _move(self, chunk: Chunk, outcome: Outcome) -> None:
        await self._write(
            lambda cursor: store.move(cursor, self.campaign, chunk.number, outcome, by=Mover.OWNER, epoch=self.epoch)
        )

    async def _write(self, work: Work[T]) -> T:
        began = anyio.current_time()
        while True:
            try:
                return await self.writer.run(work)
            except JournalUnavailableError:
                if anyio.current_time() - began >= self.patience:
                    self.patience = 0  # it is used up
                    raise
                await anyio.sleep(_BETWEEN_TRIES)
