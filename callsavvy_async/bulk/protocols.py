"""The two ends of a fan-out: the source of its chunks, and the sink that records their outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import ChunkResult


class ChunkDeferredError(Exception):
    """The sink has deferred a chunk. It goes back to the source, which returns it when it is due."""


class BudgetExceededError(Exception):
    """Costs that were reported since a chunk was reserved have used up the budget. The run ends with it pending."""


class Source(Protocol):
    """The source of the chunks."""

    def feeding(self) -> AbstractAsyncContextManager[None]:
        """Return a context manager that stays open while workers run."""
        ...

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, or None at the end. An error ends the run."""
        ...

    def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:
        """Yield the remaining chunks, which are recorded as pending.

        Args:
            only_at_hand: do not wait for more.
        """
        ...


class Sink(Protocol):
    """Records the outcome of each chunk. Methods run shielded, except `before_sending` and `before_waiting`."""

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimated cost of a chunk. Return False if it would exceed the budget."""
        ...

    def release(self, result: ChunkResult) -> None:
        """Replace the reservation of a chunk by its cost."""
        ...

    def on_wait(self) -> None:
        """Note that a request has to wait for the rate limiter."""
        ...

    async def before_sending(self, chunk: Chunk, request_id: str) -> None:
        """Record that a chunk's request is about to leave. An error keeps the request from leaving.

        Args:
            chunk: the chunk.
            request_id: identifier of the request.

        Raises:
            ChunkDeferredError: the chunk is deferred, and is not settled.
            BudgetExceededError: the chunk stays pending, and the run ends.
        """
        ...

    async def before_waiting(self, chunk: Chunk) -> None:
        """Record that a chunk's request provably had no effect and waits for a retry."""
        ...

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Record that two halves replace a rejected chunk, and return them."""
        ...

    async def settle(self, result: ChunkResult) -> None:
        """Record a chunk's outcome."""
        ...
