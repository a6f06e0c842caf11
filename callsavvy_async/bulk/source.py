"""Read an input of recipients into a stream of chunks.

Theory:

1. Recipients of one text wait until they fill a chunk. This saves requests as long as other chunks are ready.
2. After a worker has waited `PATIENCE` for a chunk, waiting saves nothing. The group that grew least recently leaves, and
   with it each group that did not grow during the wait. So a slow stream is sent as it comes, a long list in full chunks.
3. Rows of an asynchronous iterable are awaited in a task of their own, because it may never yield again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Protocol, TypeAlias, cast

import anyio
import anyio.lowlevel

from callsavvy_async.bulk.arrow_rows import SupportsArrowStream, arrow_rows, is_arrow_table
from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.plain_recipients import PlainRecipients
from callsavvy_async.bulk.recipients import Admitted, Recipient, RecipientInput, Skipped
from callsavvy_async.bulk.row_block import BlockIterator, RowBlock

Recipients: TypeAlias = Iterable[RecipientInput] | AsyncIterable[RecipientInput] | SupportsArrowStream
"""A list or stream of recipients, or a table of pandas, polars, DuckDB, pyarrow or another library of Arrow tables."""

PATIENCE = 1.0
"""Seconds that a worker waits for a full chunk."""
ROWS_BETWEEN_CHECKPOINTS = 500
"""Rows read between two checkpoints of the event loop."""


def readable(recipients: Iterable[RecipientInput] | SupportsArrowStream) -> Iterator[RecipientInput]:
    """Return an iterator over the rows of a list or of a table."""
    return arrow_rows(recipients) if is_arrow_table(recipients) else iter(cast("Iterable[RecipientInput]", recipients))


def next_block(rows: Iterator[RecipientInput]) -> Sequence[RecipientInput]:
    """Take some rows as a block, with equal names if possible; an empty one at the end."""
    if isinstance(rows, BlockIterator):
        return rows.next_block(ROWS_BETWEEN_CHECKPOINTS)
    return RowBlock.of(list(islice(rows, ROWS_BETWEEN_CHECKPOINTS)))


class SupportsAdmit(Protocol):
    """A filter of recipients, such as `RecipientFilter`."""

    @property
    def is_looking(self) -> bool:
        """Whether more rows are needed before the first request."""
        ...

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Return the recipient, or the reason for skipping the row."""
        ...

    def admit_block(self, items: Sequence[RecipientInput], row: int) -> Admitted:
        """Admit a block of rows whose fields do not matter; `row` is the position of the first."""
        ...

    def close(self) -> None:
        """Finish the input. Raise if the recipients do not fit the message."""
        ...


class InputTally(Protocol):
    """Counts the rows read, as `BulkReport` does."""

    given: int
    input_complete: bool

    def skip(self, skipped: Skipped) -> None:
        """Record a skipped row."""
        ...


class InputSource:
    """Yields chunks of any iterable of recipients, read lazily.

    Raises:
        InvalidRequestError: the value is not an iterable of recipients.
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
            self._rows = readable(recipients)
        self._filter = recipient_filter
        self._chunker = chunker
        self._report = report
        self._ready: deque[Chunk] = deque()
        self._ended = False
        self._failure: Exception | None = None
        self._feeding = True
        self._waiting = 0
        self._wanted = anyio.Event()
        self._progress = anyio.Event()

    @asynccontextmanager
    async def feeding(self) -> AsyncGenerator[None]:
        """Read an asynchronous iterable in the background, while workers wait for chunks."""
        async with anyio.create_task_group() as group:
            if self._async_rows is not None:
                group.start_soon(self._feed)
            try:
                yield
            finally:
                self._feeding = False
                self._wanted.set()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, or None at the end. Errors of the iterable propagate."""
        if not self._may_send() and self._async_rows is None:
            await self._read_some()
        while not self._may_send():
            await self._wait_for_chunk()
        self._raise_failure()
        return self._ready.popleft() if self._ready else None

    def _may_send(self) -> bool:
        return self._ended or (bool(self._ready) and not self._filter.is_looking)

    async def next_chunks(self) -> list[Chunk] | None:
        """Read some rows and return the chunks that became ready; None at the end."""
        if self._ended:
            return None
        if self._async_rows is None and self._chunker.ignores_fields:
            await self._read_block()
        else:
            await self._read_some()
        ready = list(self._ready)
        self._ready.clear()
        return ready

    async def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:
        """Yield the remaining chunks.

        Args:
            only_at_hand: do not wait for an asynchronous iterable, which may never end.
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
        while self._feeding and not self._ended:
            if not self._waiting:
                self._wanted = anyio.Event()
                await self._wanted.wait()
                continue
            try:
                await self._read_some()
            except Exception as error:  # noqa: BLE001 - raised by `next_chunk`
                self._failure = error
            if self._ready or self._ended:
                self._progress.set()
                self._progress = anyio.Event()
                await anyio.lowlevel.checkpoint()

    async def _wait_for_chunk(self) -> None:
        """Wait for a chunk or the end of the input. After `PATIENCE`, release groups that are not full."""
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
        self._wanted.set()
        try:
            with anyio.CancelScope(deadline=deadline):
                await self._progress.wait()
        finally:
            self._waiting -= 1

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _read_some(self) -> None:
        """Read until a chunk is ready, the input ends, or a checkpoint is due."""
        try:
            for _ in range(ROWS_BETWEEN_CHECKPOINTS):
                self._take(next(self._rows) if self._async_rows is None else await anext(self._async_rows))
                if self._ready:
                    return
        except (StopIteration, StopAsyncIteration):
            self._end(complete=True)
            return
        except BaseException:  # also cancellation, which ends an asynchronous generator
            self._end(complete=False)
            raise
        await anyio.lowlevel.checkpoint()

    async def _read_block(self) -> None:
        """Read rows that are at hand as a block, which takes a fifth of the time."""
        try:
            block = next_block(self._rows)
            numbers, rows, skipped = self._filter.admit_block(block, self._report.given + 1)
        except BaseException:
            self._end(complete=False)
            raise
        self._report.given += len(block)
        for one in skipped:
            self._report.skip(one)
        self._ready.extend(self._chunker.add_alike(PlainRecipients(numbers, rows)))
        if not block:
            self._end(complete=True)
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
