"""Send chunks concurrently, and record the outcome of each chunk, also when the run is stopped.

Theory:

1. A worker takes a chunk, sends it and settles it. There is never a task per recipient.
2. There are as many workers as requests in flight, plus `SPARE` whose chunks wait for the rate limiter. A request that leaves
   starts a worker; a worker that finishes ends if enough others wait. So the rate limiter decides how many requests are in
   flight, up to `workers`. For example, at 40 requests a second and 50 ms per response, 2 are in flight.
3. A chunk that was taken but not settled is pending if its request never left, else unknown.
4. Stopping cancels the workers, but not requests in flight: without its response, a paid message stays unknown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module

import anyio
import anyio.abc

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.protocols import BudgetExceededError, ChunkDeferredError, Sink, Source
from callsavvy_async.bulk.report import ChunkResult, ChunkState, StopReason, Sums
from callsavvy_async.bulk.stop_rules import StopRules
from callsavvy_async.errors import Outcome, RateLimitError, RequestError, ServiceUnavailableError
from callsavvy_async.policy.rejection import names_recipient, too_large
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.request_context import BulkChunk, RequestContext, current_context

SPARE = 4
"""Most chunks that wait for the rate limiter at a time."""
DEEPEST_SPLIT = 10
"""Most times that a rejected chunk is halved to isolate the rejected recipient; enough for 1,024 recipients."""


class FanOut:
    """One concurrent run over the chunks of a source.

    Args:
        send: sends one chunk; a resource method with its arguments bound.
        source: the source of the chunks.
        report: the report of the run, for its reason to stop and its number of 429 responses.
        sink: records outcomes, and keeps the budget.
        workers: most chunks in flight.
        rules: rules to stop early.
        on_result: coroutine function, called with each result.
        run: numbers of the campaign and its run, for a campaign.
    """

    def __init__(
        self,
        send: Callable[[Chunk], Awaitable[SendReceipt]],
        source: Source,
        report: Sums,
        *,
        sink: Sink,
        workers: int,
        rules: StopRules,
        on_result: Callable[[ChunkResult], Awaitable[None]],
        run: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._send = send
        self._source = source
        self._report = report
        self._sink = sink
        self._workers = workers
        self._rules = rules
        self._on_result = on_result
        self._run = run
        self._scope: anyio.CancelScope | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._working = 0
        self._active: set[RequestContext] = set()
        self._failure: Exception | None = None

    def stop(self, reason: StopReason) -> None:
        """Start no further request, and finish the requests in flight."""
        if self._report.stopped is None:
            self._report.stopped = reason
        if self._scope is not None:
            self._scope.cancel()

    def abandon(self) -> None:
        """Stop without waiting. Requests in flight become unknown."""
        self.stop(StopReason.INTERRUPTED)
        for context in self._active:
            context.abandon()

    def resize(self, workers: int) -> None:
        """Change the most chunks in flight. Surplus workers end after their chunk."""
        more, self._workers = workers > self._workers, workers
        if more and self._report.stopped is None and self._waiting <= SPARE:
            self._start_worker()

    async def run(self) -> None:
        """Send until the source ends or the run is stopped, then record the rest of the source as pending.

        Raises:
            Exception: the source failed, or `send` raised anything but a `RequestError`; raised after all outcomes are recorded.
        """
        import_module("callsavvy_async.transport.retrying")  # imported now, as file descriptors may run out later
        try:
            with anyio.CancelScope() as self._scope:
                if self._report.stopped is not None:  # stopped before it started
                    self._scope.cancel()
                async with self._source.feeding(), anyio.create_task_group() as self._group:
                    for _ in range(min(SPARE, self._workers)):
                        self._start_worker()
        except BaseException:  # cancelled from outside
            self.stop(StopReason.INTERRUPTED)
            raise
        finally:
            self._group = None
            with anyio.CancelScope(shield=True):
                await self._record_rest()
        if self._failure is not None:
            raise self._failure

    async def _record_rest(self) -> None:
        try:
            async for chunk in self._source.rest(only_at_hand=self._report.stopped in _AT_ONCE):
                await self._settle(ChunkResult(chunk, ChunkState.PENDING))
        except Exception as error:  # noqa: BLE001 - raised by `run`
            self._fail(error)
            await self._record_rest()  # the source has failed, but may have chunks ready

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.stop(StopReason.ERROR)

    def _start_worker(self) -> None:
        if self._group is not None and self._working < self._workers:
            self._working += 1
            self._group.start_soon(self._work)

    @property
    def _waiting(self) -> int:
        """Number of workers without a request in flight: they wait for a chunk, the rate limiter or the sink."""
        return self._working - sum(context.on_wire for context in self._active)

    @property
    def _is_wanted(self) -> bool:
        return self._waiting <= SPARE and self._working <= self._workers

    async def _before_sending(self, chunk: Chunk, request_id: str) -> None:
        if self._waiting <= SPARE:  # this worker is about to leave
            self._start_worker()
        await self._sink.before_sending(chunk, request_id)

    async def _work(self) -> None:
        todo: list[Chunk] = []
        try:
            while self._is_wanted and (chunk := await self._source.next_chunk()) is not None:
                todo.append(chunk)
                if self._report.stopped is not None:
                    return
                while todo:
                    todo += reversed(await self._send_one(todo.pop()))  # the first half is next
        except Exception as error:  # noqa: BLE001 - raised by `run` after the other workers end
            self._fail(error)
        finally:
            self._working -= 1
            for left in todo:  # stopped between the halves of a split chunk
                await self._settle(ChunkResult(left, ChunkState.PENDING))

    async def _send_one(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Send a chunk and settle it, or return its halves if the API rejects one of its recipients."""
        result = ChunkResult(chunk, ChunkState.PENDING)
        if not self._sink.reserve(chunk):
            return await self._stop_over_budget(result)
        with self._watching(chunk) as context:
            try:
                result = await self._outcome(chunk, context)
            except ChunkDeferredError:
                self._sink.release(result)
                return ()
            except BudgetExceededError:
                self._sink.release(result)
                return await self._stop_over_budget(result)
            except BaseException:  # cancelled, or not an error of the API
                result = ChunkResult(chunk, ChunkState.UNKNOWN) if context.in_doubt else result
                self._sink.release(result)
                await self._settle(result)
                raise
        self._sink.release(result)
        return await self._conclude(result)

    async def _stop_over_budget(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Keep a chunk pending, and start no further one. Chunks with a reservation are still sent."""
        await self._settle(result)
        self._report.stopped = self._report.stopped or StopReason.MAX_COST
        return ()

    @contextmanager
    def _watching(self, chunk: Chunk) -> Generator[RequestContext]:
        """Track the request of a chunk."""
        context = RequestContext(
            shield=True,
            chunk=BulkChunk(chunk.number, len(chunk.recipients), *self._run),
            before_sending=partial(self._before_sending, chunk),
            before_waiting=partial(self._sink.before_waiting, chunk),
            on_wait=self._sink.on_wait,
        )
        token = current_context.set(context)
        self._active.add(context)
        try:
            yield context
        finally:
            current_context.reset(token)
            self._active.discard(context)
            attempts = (attempt for exchange in context.exchanges for attempt in exchange.attempts)
            self._report.rate_limited += sum(attempt.status_code == 429 for attempt in attempts)  # noqa: PLR2004

    async def _outcome(self, chunk: Chunk, context: RequestContext) -> ChunkResult:
        try:
            receipt = await self._send(chunk)
        except RequestError as error:
            return ChunkResult(chunk, _state_after(error), error=error, request_id=error.request_id)
        state = ChunkState.FAILED if receipt.failed else ChunkState.ACCEPTED
        return ChunkResult(chunk, state, receipt, request_id=context.last_request_id)

    async def _conclude(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Record and publish a result, also while the run stops; or return the halves to send instead."""
        with anyio.CancelScope(shield=True):
            if _worth_splitting(result):
                return await self._sink.split(result)
            if await self._record(result):
                reason = self._rules.judge(result)
                if reason is not None:
                    self.stop(reason)
                await self._on_result(result)
        return ()

    async def _settle(self, result: ChunkResult) -> None:
        with anyio.CancelScope(shield=True):
            await self._record(result)

    async def _record(self, result: ChunkResult) -> bool:
        try:
            await self._sink.settle(result)
        except Exception as error:  # noqa: BLE001 - raised by `run` after the other workers end
            self._fail(error)
            return False
        return True


_AT_ONCE = {StopReason.INTERRUPTED, StopReason.DEADLINE}
"""Reasons that end the run without waiting for further recipients."""


def _worth_splitting(result: ChunkResult) -> bool:
    error, numbers = result.error, (recipient.number for recipient in result.recipients)
    return (
        error is not None
        and (names_recipient(error, numbers) or too_large(error))
        and len(result.recipients) > 1
        and result.chunk.depth < DEEPEST_SPLIT
    )


def _state_after(error: RequestError) -> ChunkState:
    """Return the state after an error. A rate-limited chunk stays pending, so that a later run can send it."""
    if isinstance(error, RateLimitError | ServiceUnavailableError):
        return ChunkState.PENDING
    return _STATES[error.outcome]


_STATES = {
    Outcome.NOT_SENT: ChunkState.PENDING,
    Outcome.REJECTED: ChunkState.REJECTED,
    Outcome.UNKNOWN: ChunkState.UNKNOWN,
}
