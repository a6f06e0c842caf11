"""The stream of chunks: rows are taken in one by one, skipped ones are taken down, the others leave in chunks.

Theory: recipients of one text wait until they fill a chunk. That saves requests while there is always a chunk to send. A
worker that has waited `PATIENCE` for one has nothing to save: the text that was fed least recently leaves, and with it all
those to which nobody came meanwhile. So a stream that trickles is sent as it comes, and a long list, whose texts fill
quickly, in full chunks. Rows of an asynchronous iterable are awaited beside the workers, for it may never yield again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias, cast

import anyio
import anyio.lowlevel

from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.recipients import Recipient, RecipientInput, Skipped

Recipients: TypeAlias = Iterable[RecipientInput] | AsyncIterable[RecipientInput]

PATIENCE = 1.0
"""Seconds for which a worker waits for a full chunk."""
ROWS_BETWEEN_CHECKPOINTS = 500
"""Rows that are read in one go before the event loop gets a turn."""


class SupportsAdmit(Protocol):
    """Admits recipients one by one; `RecipientFilter` is one."""

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
    """Chunks from any iterable of recipients; nothing is read ahead of what the workers ask for.

    Raises:
        InvalidRequestError: it is no iterable of recipients.
    """

    def __init__(
        self, recipients: Recipients, *, recipient_filter: SupportsAdmit, chunker: Chunker, report: InputTally
    ) -> None:
        refuse_misuse(recipients)
        self._async_rows: AsyncIterator[RecipientInput] | None = None
        self._rows: Iterator[RecipientInput] = iter(())
        if isinstance(recipients, AsyncIterable):
            self._async_rows = aiter(recipients)
        else:
            self._rows = iter(recipients)
        self._filter = recipient_filter
        self._chunker = chunker
        self._report = report
        self._ready: deque[Chunk] = deque()
        self._ended = False
        self._failure: Exception | None = None
        self._wanted = True
        self._waiting = 0
        self._asked = anyio.Event()
        self._came = anyio.Event()

    @asynccontextmanager
    async def feeding(self) -> AsyncGenerator[None]:
        """Await the rows of an asynchronous iterable while workers wait for chunks; enter it around them."""
        async with anyio.create_task_group() as group:
            if self._async_rows is not None:
                group.start_soon(self._feed)
            try:
                yield
            finally:
                self._wanted = False
                self._asked.set()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, None at the end. Raises what the iterable raises."""
        if not self._may_send() and self._async_rows is None:
            await self._read_some()
        while not self._may_send():
            await self._wait_for_chunk()
        self._raise_failure()
        return self._ready.popleft() if self._ready else None

    def _may_send(self) -> bool:
        return self._ended or (bool(self._ready) and not self._filter.is_looking)

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
            self._raise_failure()
            while self._ready:
                yield self._ready.popleft()
            if self._ended:
                return
            await self._read_some()

    async def _feed(self) -> None:
        while self._wanted and not self._ended:
            if not self._waiting:
                self._asked = anyio.Event()
                await self._asked.wait()
                continue
            try:
                await self._read_some()
            except Exception as error:  # noqa: BLE001 - raised where a chunk is asked for
                self._failure = error
            if self._ready or self._ended:
                self._came.set()
                self._came = anyio.Event()
                await anyio.lowlevel.checkpoint()

    async def _wait_for_chunk(self) -> None:
        """Wait until a chunk is ready, the input ends, or patience does: then those get going who wait for company."""
        taken_in, deadline = self._chunker.taken_in, anyio.current_time() + PATIENCE
        while not self._may_send() and anyio.current_time() < deadline:
            if self._async_rows is None:
                await self._read_some()
            else:
                await self._wait_for_row(deadline)
        if not self._ready and not self._filter.is_looking:
            self._ready.extend(self._chunker.spare(unfed_since=taken_in))

    async def _wait_for_row(self, deadline: float) -> None:
        self._waiting += 1
        self._asked.set()
        try:
            with anyio.CancelScope(deadline=deadline):
                await self._came.wait()
        finally:
            self._waiting -= 1

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _read_some(self) -> None:
        """Read until a chunk is ready, the input ends, or the event loop should get a turn."""
        try:
            for _ in range(ROWS_BETWEEN_CHECKPOINTS):
                self._take(next(self._rows) if self._async_rows is None else await anext(self._async_rows))
                if self._ready:
                    return
        except (StopIteration, StopAsyncIteration):
            self._end(complete=True)
            return
        except BaseException:  # cancelled, too: an asynchronous generator does not outlive it
            self._end(complete=False)
            raise
        await anyio.lowlevel.checkpoint()

    def _take(self, row: RecipientInput) -> None:
        number = self._report.given + 1
        admitted = self._filter.admit(row, number)
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
            self._filter.close()
