"""The sink of a bulk send. Outcomes stay in memory and a temporary file, and do not survive the process."""

from __future__ import annotations

import attrs

from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.protocols import BudgetExceededError
from callsavvy_async.bulk.report import ChunkResult, Sums
from callsavvy_async.bulk.stop_rules import Budget
from callsavvy_async.policy.rejection import too_large


@attrs.frozen
class ReportSink:
    """Records outcomes in a report in memory.

    Attributes:
        report: report of the run.
        budget: units to spend.
        size: size of the next chunk.
    """

    report: Sums
    budget: Budget
    size: ChunkSize

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimate of a chunk."""
        return self.budget.reserve(chunk)

    def release(self, result: ChunkResult) -> None:
        """Replace the estimate of a chunk by its cost."""
        self.budget.settle(result)

    def on_wait(self) -> None:
        """Enlarge the next chunks, because requests are scarce."""
        self.size.scarce()

    async def before_sending(self, chunk: Chunk, request_id: str) -> None:  # noqa: ARG002 - its estimate is reserved
        """Check the budget again: requests that settled while this one waited may have cost more than estimated.

        Raises:
            BudgetExceededError: they did.
        """
        if self.budget.is_exceeded:
            raise BudgetExceededError

    async def before_waiting(self, chunk: Chunk) -> None:
        """Do nothing."""

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Halve the chunk, and also the size of later chunks if this one was too large."""
        if result.error is not None and too_large(result.error):
            self.size.refused(len(result.recipients))
        return result.chunk.halves()

    async def settle(self, result: ChunkResult) -> None:
        """Count the result, and keep its rows."""
        self.report.settle(result)
