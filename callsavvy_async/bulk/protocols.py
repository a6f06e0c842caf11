"""The two ends of a fan-out: the source of its chunks, and the sink that records their outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import ChunkResult


class ChunkDeferredError(Exception):
    """A chunk must not be sent now: its sink has put it back where its source takes it from, when its time comes."""


class Source(Protocol):
    """Where the chunks come from."""

    def feeding(self) -> AbstractAsyncContextManager[None]:
        """Return what is entered around the workers."""
        ...

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, None at the end. Whatever it raises ends the run."""
        ...

    def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:
        """Yield the chunks that nobody asked for; they are settled as pending.

        Args:
            only_at_hand: do not wait for more.
        """
        ...


class Sink(Protocol):
    """Records the outcome of each chunk. Methods run shielded, except `before_sending` and `before_waiting`."""

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve what a chunk may cost; False when it would pass the budget."""
        ...

    def release(self, result: ChunkResult) -> None:
        """Count what a chunk cost, or may have cost, instead of its reservation."""
        ...

    def on_wait(self) -> None:
        """Note that a request has to wait for its turn."""
        ...

    async def before_sending(self, chunk: Chunk) -> None:
        """Take down that a chunk's request is about to leave. Whatever it raises keeps the request from leaving.

        Raises:
            ChunkDeferredError: the chunk was put back, and is not settled.
        """
        ...

    async def before_waiting(self, chunk: Chunk) -> None:
        """Take down that a chunk's request was refused, provably without effect, and waits to be repeated."""
        ...

    async def split(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Record that two halves replace a rejected chunk, and return them."""
        ...

    async def settle(self, result: ChunkResult) -> None:
        """Record a chunk's outcome."""
        ...
