"""The stream of chunks: rows are taken in one by one, skipped ones are taken down, the others leave in chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeAlias, cast

import anyio
import anyio.lowlevel

from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.recipients import Recipient, RecipientInput, Skipped

Recipients: TypeAlias = Iterable[RecipientInput] | AsyncIterable[RecipientInput]

ROWS_BETWEEN_CHECKPOINTS = 500
"""Rows that are read in one go before the event loop gets a turn."""


class Door(Protocol):
    """Admits recipients one by one; `Intake` is one."""

    @property
    def is_looking(self) -> bool:
        """Whether more recipients have to be read before anything may be sent."""
        ...

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Return the recipient, or why there is none."""
        ...

    def close(self) -> None:
        """Note that there are no more; raise when nobody among them can be sent to as was asked for."""
        ...


class InputTally(Protocol):
    """Counts what is read; a `Sums` that keeps the skipped is one."""

    given: int
    input_complete: bool

    def skip(self, skipped: Skipped) -> None:
        """Take down a recipient that is left out."""
        ...


class InputSource:
    """Chunks from any iterable of recipients; nothing is read ahead of what the workers ask for."""

    def __init__(self, recipients: Recipients, *, intake: Door, chunker: Chunker, report: InputTally) -> None:
        self._async_rows: AsyncIterator[RecipientInput] | None = None
        self._rows: Iterator[RecipientInput] = iter(())
        if isinstance(recipients, AsyncIterable):
            self._async_rows = aiter(recipients)
        else:
            self._rows = iter(recipients)
        self._intake = intake
        self._chunker = chunker
        self._report = report
        self._ready: deque[Chunk] = deque()
        self._ended = False
        self._lock = anyio.Lock()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, None at the end. Raises what the iterable raises."""
        while not self._may_send():
            if self._async_rows is None:  # no lock: to hand it on takes a turn of the event loop for each worker
                await self._read_some()
                continue
            async with self._lock:
                if not self._may_send():
                    await self._read_some()
        return self._ready.popleft() if self._ready else None

    def _may_send(self) -> bool:
        return self._ended or (bool(self._ready) and not self._intake.is_looking)

    async def next_chunks(self) -> list[Chunk] | None:
        """Read on a little; return the chunks that became ready, perhaps none; None at the end."""
        if self._ended:
            return None
        await self._read_some()
        ready = list(self._ready)
        self._ready.clear()
        return ready

    async def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:
        """Yield the chunks that nobody asked for.

        Args:
            only_at_hand: do not wait for an asynchronous iterable: it may never end.
        """
        if only_at_hand and self._async_rows is not None:
            self._end(complete=False)
            if isinstance(self._async_rows, AsyncGenerator):
                await cast("AsyncGenerator[RecipientInput, None]", self._async_rows).aclose()
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._ended:
                return
            await self._read_some()

    async def _read_some(self) -> None:
        """Read until a chunk is ready, the input ends, or the event loop should get a turn."""
        try:
            if self._async_rows is not None:
                self._take(await anext(self._async_rows))
                return
            for _ in range(ROWS_BETWEEN_CHECKPOINTS):
                self._take(next(self._rows))
                if self._ready:
                    return
        except (StopIteration, StopAsyncIteration):
            self._end(complete=True)
            return
        except Exception:
            self._end(complete=False)
            raise
        await anyio.lowlevel.checkpoint()

    def _take(self, row: RecipientInput) -> None:
        number = self._report.given + 1
        admitted = self._intake.admit(row, number)
        self._report.given = number
        if isinstance(admitted, Skipped):
            self._report.skip(admitted)
        else:
            self._ready.extend(self._chunker.add(admitted))

    def _end(self, *, complete: bool) -> None:
        if self._ended:
            return
        self._ended = True
        self._report.input_complete = complete
        self._ready.extend(self._chunker.close())
        if complete:
            self._intake.close()
