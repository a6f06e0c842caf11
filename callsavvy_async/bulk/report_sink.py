"""The sink of a bulk send: outcomes are in memory and in a temporary file, and do not survive the process."""

from __future__ import annotations

import attrs

from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import ChunkResult, Sums
from callsavvy_async.bulk.stop_rules import Budget
from callsavvy_async.policy.rejection import too_large


@attrs.frozen
class ReportSink:
    """Records everything in a report in memory.

    Attributes:
        report: of the run.
        budget: what may be spent.
        size: of the chunks that the source cuts.
    """

    report: Sums
    budget: Budget
    size: ChunkSize

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimate of a chunk."""
        return self.budget.reserve(chunk)

    def release(self, result: ChunkResult) -> None:
        """Count what a chunk cost instead of its estimate."""
        self.budget.settle(result)

    def on_wait(self) -> None:
        """Fill the next chunks: requests are what is scarce."""
        self.size.scarce()

    async def before_sending(self, chunk: Chunk) -> None:
        """Nothing is written ahead: the report does not outlive the process."""

    async def before_waiting(self, chunk: Chunk) -> None:
        """Nothing was written ahead."""

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Halve the chunk, and the next ones too if it was refused as too large."""
        if result.error is not None and too_large(result.error):
            self.size.refused(len(result.recipients))
        return result.chunk.halves()

    async def settle(self, result: ChunkResult) -> None:
        """Count it, and keep its rows."""
        self.report.settle(result)
