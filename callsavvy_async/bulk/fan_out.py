"""Send chunks concurrently: bounded workers over an iterator, every chunk accounted for, also when it is stopped.

Theory: a worker takes a chunk, sends it, and settles it, one after the other; there is never a task per recipient. There are
as many workers as requests on their way, and `SPARE` more whose chunks wait for their turn: each request that leaves brings
one to work, and one that comes back retires where enough wait. So what is under way is what the limit of the client lets
start, up to `workers`, and what is at hand stays little. With 50 ms to an answer, 40 requests a second are 2 on their way. A
chunk that was taken and did not settle is pending when its request never left, and unknown when it did. Stopping
cancels the workers, but a request on the wire is shielded: its answer is waited for, because a paid message whose
answer nobody read is unknown for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module

import anyio
import anyio.abc

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.protocols import ChunkDeferredError, Sink, Source
from callsavvy_async.bulk.report import ChunkResult, ChunkState, StopReason, Sums
from callsavvy_async.bulk.stop_rules import StopRules
from callsavvy_async.errors import Outcome, RateLimitError, RequestError, ServiceUnavailableError
from callsavvy_async.policy.rejection import names_recipient, too_large
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.request_context import RequestContext, current_context

SPARE = 4
"""Chunks that wait for their turn at a time: while a limit lets nothing start, no more than these are cut."""
DEEPEST_SPLIT = 10
"""How often a rejected chunk is halved to isolate what the API rejects: enough for 1,024 recipients."""


class FanOut:
    """One concurrent run over the chunks of a source.

    Args:
        send: sends one chunk; a resource method with its arguments filled in.
        source: where the chunks come from.
        report: of the run as a whole: why it stopped, how often the API answered 429.
        sink: records every outcome, and keeps the budget.
        workers: most chunks under way at a time.
        rules: when to stop early.
        on_result: awaited with every result.
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
    ) -> None:
        self._send = send
        self._source = source
        self._report = report
        self._sink = sink
        self._workers = workers
        self._rules = rules
        self._on_result = on_result
        self._scope: anyio.CancelScope | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._working = 0
        self._under_way: set[RequestContext] = set()
        self._failure: Exception | None = None

    def stop(self, reason: StopReason) -> None:
        """Send nothing more; what is on the wire is waited for."""
        if self._report.stopped is None:
            self._report.stopped = reason
        if self._scope is not None:
            self._scope.cancel()

    def abandon(self) -> None:
        """Send nothing more, and do not wait either: what is on the wire becomes unknown."""
        self.stop(StopReason.INTERRUPTED)
        for context in self._under_way:
            context.abandon()

    async def run(self) -> None:
        """Send until the source is exhausted or the run is stopped. Then the rest of the source is taken down as pending.

        Raises:
            Exception: what the source of the recipients raised, or what `send` raised beside a `RequestError`; everything
                is taken down before.
        """
        import_module("callsavvy_async.transport.retrying")  # ahead: when a request fails, files may be scarce
        try:
            with anyio.CancelScope() as self._scope:
                if self._report.stopped is not None:  # stopped before it began
                    self._scope.cancel()
                async with self._source.feeding(), anyio.create_task_group() as self._group:
                    for _ in range(min(SPARE, self._workers)):
                        self._employ()
        except BaseException:  # cancelled from outside
            self.stop(StopReason.INTERRUPTED)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._take_down_rest()
        if self._failure is not None:
            raise self._failure

    async def _take_down_rest(self) -> None:
        try:
            async for chunk in self._source.rest(only_at_hand=self._report.stopped in _AT_ONCE):
                await self._settle(ChunkResult(chunk, ChunkState.PENDING))
        except Exception as error:  # noqa: BLE001 - raised by `run`
            self._fail(error)
            await self._take_down_rest()  # the source has ended; what it had ready is left

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.stop(StopReason.ERROR)

    def _employ(self) -> None:
        if self._group is not None and self._working < self._workers:
            self._working += 1
            self._group.start_soon(self._work)

    @property
    def _waiting(self) -> int:
        """How many workers are not on the wire: they wait for a chunk, for their turn, or for what is written ahead."""
        return self._working - sum(context.on_wire for context in self._under_way)

    async def _before_sending(self, chunk: Chunk) -> None:
        if self._waiting <= SPARE:  # this one is about to leave
            self._employ()
        await self._sink.before_sending(chunk)

    async def _work(self) -> None:
        todo: list[Chunk] = []
        try:
            while self._waiting <= SPARE and (chunk := await self._source.next_chunk()) is not None:
                todo.append(chunk)
                if self._report.stopped is not None:
                    return
                while todo:
                    todo += reversed(await self._send_one(todo.pop()))  # the first half is the next
        except Exception as error:  # noqa: BLE001 - the others drain first, then `run` raises it
            self._fail(error)
        finally:
            self._working -= 1
            for left in todo:  # stopped between the halves of a split chunk
                await self._settle(ChunkResult(left, ChunkState.PENDING))

    async def _send_one(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """Send a chunk and settle it, or return its halves when the API rejects something in it."""
        result = ChunkResult(chunk, ChunkState.PENDING)
        if not self._sink.reserve(chunk):
            await self._settle(result)
            self._report.stopped = self._report.stopped or StopReason.MAX_COST  # those that reserved before still go
            return ()
        with self._watching(chunk) as context:
            try:
                result = await self._outcome(chunk)
            except ChunkDeferredError:
                self._sink.release(result)
                return ()
            except BaseException:  # cancelled, or an error that is no answer of the API's
                result = ChunkResult(chunk, ChunkState.UNKNOWN) if context.in_doubt else result
                self._sink.release(result)
                await self._settle(result)
                raise
        self._sink.release(result)
        return await self._conclude(result)

    @contextmanager
    def _watching(self, chunk: Chunk) -> Generator[RequestContext]:
        """Follow the request of a chunk."""
        context = RequestContext(
            shield=True,
            bulk=True,
            before_sending=partial(self._before_sending, chunk),
            before_waiting=partial(self._sink.before_waiting, chunk),
            on_wait=self._sink.on_wait,
        )
        token = current_context.set(context)
        self._under_way.add(context)
        try:
            yield context
        finally:
            current_context.reset(token)
            self._under_way.discard(context)
            attempts = (attempt for exchange in context.exchanges for attempt in exchange.attempts)
            self._report.rate_limited += sum(attempt.status_code == 429 for attempt in attempts)  # noqa: PLR2004

    async def _outcome(self, chunk: Chunk) -> ChunkResult:
        try:
            receipt = await self._send(chunk)
        except RequestError as error:
            return ChunkResult(chunk, _state_after(error), error=error)
        return ChunkResult(chunk, ChunkState.FAILED if receipt.failed else ChunkState.ACCEPTED, receipt)

    async def _conclude(self, result: ChunkResult) -> tuple[Chunk, ...]:
        """Take down and tell a result that came, also when the run is stopping; or return the halves to send instead."""
        with anyio.CancelScope(shield=True):
            if _worth_splitting(result):
                return await self._sink.split(result)
            if await self._take_down(result):
                reason = self._rules.judge(result)
                if reason is not None:
                    self.stop(reason)
                await self._on_result(result)
        return ()

    async def _settle(self, result: ChunkResult) -> None:
        with anyio.CancelScope(shield=True):
            await self._take_down(result)

    async def _take_down(self, result: ChunkResult) -> bool:
        try:
            await self._sink.settle(result)
        except Exception as error:  # noqa: BLE001 - raised by `run`; the other workers drain first
            self._fail(error)
            return False
        return True


_AT_ONCE = {StopReason.INTERRUPTED, StopReason.DEADLINE}
"""Reasons for which nothing is waited for, not even the rest of the recipients."""


def _worth_splitting(result: ChunkResult) -> bool:
    error, numbers = result.error, (recipient.number for recipient in result.recipients)
    return (
        error is not None
        and (names_recipient(error, numbers) or too_large(error))
        and len(result.recipients) > 1
        and result.chunk.depth < DEEPEST_SPLIT
    )


def _state_after(error: RequestError) -> ChunkState:
    """Return what is known after an error; what was refused for the moment may be sent later, by another run."""
    if isinstance(error, RateLimitError | ServiceUnavailableError):
        return ChunkState.PENDING
    return _STATES[error.outcome]


_STATES = {
    Outcome.NOT_SENT: ChunkState.PENDING,
    Outcome.REJECTED: ChunkState.REJECTED,
    Outcome.UNKNOWN: ChunkState.UNKNOWN,
}
