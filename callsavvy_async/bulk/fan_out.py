"""Send chunks concurrently: bounded workers over an iterator, every chunk accounted for, also when it is stopped.

Theory: a worker takes a chunk, sends it, and settles it, one after the other; there is never a task per recipient. A
chunk that was taken and did not settle is pending when its request never left, and unknown when it did. Stopping
cancels the workers, but a request on the wire is shielded: its answer is waited for, because a paid message whose
answer nobody read is unknown for ever.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import BulkReport, ChunkResult, ChunkState, StopReason
from callsavvy_async.bulk.source import Source
from callsavvy_async.errors import (
    AuthenticationError,
    BadRequestError,
    InsufficientBalanceError,
    NotSentError,
    Outcome,
    PermissionDeniedError,
    RejectedError,
    RequestError,
)
from callsavvy_async.resources.messaging import SendReceipt
from callsavvy_async.transport.watch import Watch, current_watch

DEEPEST_SPLIT = 10
"""How often a rejected chunk is halved to isolate what the API rejects: enough for 1,024 recipients."""

_NAMES_RECIPIENT = re.compile(r"recipient|phone|number|msisdn", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")


@attrs.define
class Budget:
    """Units that may be spent. The estimate of a chunk is reserved before it is sent and replaced by what it cost."""

    limit: Decimal | None
    estimate: Callable[[Chunk], Decimal]
    committed: Decimal = Decimal(0)

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimate of a chunk; False when it would pass the limit."""
        units = self.estimate(chunk)
        if self.limit is not None and self.committed + units > self.limit:
            return False
        self.committed += units
        return True

    def settle(self, result: ChunkResult) -> None:
        """Replace the estimate by the reported cost; what may have been charged keeps its estimate."""
        if result.state in {ChunkState.REJECTED, ChunkState.PENDING}:
            self.committed -= self.estimate(result.chunk)
        elif result.receipt is not None and result.receipt.cost is not None:
            self.committed += result.receipt.cost - self.estimate(result.chunk)


@attrs.define
class StopRules:
    """When to stop early, seen from the results: some errors will meet every chunk that follows."""

    most_in_a_row: int
    _last: str = ""
    _in_a_row: int = 0

    def judge(self, result: ChunkResult) -> StopReason | None:
        """Say why to stop after this result; None to go on."""
        error = result.error
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            return StopReason.AUTHENTICATION
        if isinstance(error, InsufficientBalanceError):
            return StopReason.BALANCE
        counts = isinstance(error, NotSentError) or (isinstance(error, RejectedError) and not names_recipient(error))
        if error is None or not counts:
            self._in_a_row = 0
            return None
        kind = f"{type(error).__name__} {_DIGITS.sub('#', error.message or '')}"
        self._in_a_row = self._in_a_row + 1 if kind == self._last else 1
        self._last = kind
        if self._in_a_row < self.most_in_a_row:
            return None
        return StopReason.UNREACHABLE if isinstance(error, NotSentError) else StopReason.REJECTIONS


def names_recipient(error: RequestError) -> bool:
    """Whether a final rejection speaks of a recipient, so that it may come from one bad number."""
    return isinstance(error, BadRequestError) and bool(_NAMES_RECIPIENT.search(error.message or ""))


class FanOut:
    """One concurrent run over the chunks of a source.

    Args:
        send: sends one chunk; a resource method with its arguments filled in.
        source: where the chunks come from.
        report: where every outcome is taken down.
        workers: chunks under way at a time.
        budget: what may be spent.
        rules: when to stop early.
        on_result: told of every result.
    """

    def __init__(
        self,
        send: Callable[[Chunk], Awaitable[SendReceipt]],
        source: Source,
        report: BulkReport,
        *,
        workers: int,
        budget: Budget,
        rules: StopRules,
        on_result: Callable[[ChunkResult], Awaitable[None]],
    ) -> None:
        self._send = send
        self._source = source
        self._report = report
        self._workers = workers
        self._budget = budget
        self._rules = rules
        self._on_result = on_result
        self._scope: anyio.CancelScope | None = None
        self._under_way: dict[Watch, Chunk] = {}
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
        for watch in self._under_way:
            watch.abandon()

    async def run(self) -> None:
        """Send until the source is exhausted or the run is stopped. Then the rest of the source is taken down as pending.

        Raises:
            Exception: what the source of the recipients raised, or what `send` raised beside a `RequestError`; everything
                is taken down before.
        """
        try:
            with anyio.CancelScope() as self._scope:
                if self._report.stopped is not None:  # stopped before it began
                    self._scope.cancel()
                async with anyio.create_task_group() as group:
                    for _ in range(self._workers):
                        group.start_soon(self._work)
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
            async for chunk in self._source.rest(only_at_hand=self._report.stopped is StopReason.INTERRUPTED):
                self._report.settle(ChunkResult(chunk, ChunkState.PENDING))
        except Exception as error:  # noqa: BLE001 - raised by `run`
            self._fail(error)
            await self._take_down_rest()  # the source has ended; what it had ready is left

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.stop(StopReason.ERROR)

    async def _work(self) -> None:
        todo: list[tuple[Chunk, int]] = []
        try:
            while (chunk := await self._source.next_chunk()) is not None:
                todo.append((chunk, 0))
                if self._report.stopped is not None:
                    return
                while todo:
                    todo += await self._send_one(*todo.pop())
        except Exception as error:  # noqa: BLE001 - the others drain first, then `run` raises it
            self._fail(error)
        finally:
            for left, _ in todo:  # stopped between the halves of a split chunk
                self._report.settle(ChunkResult(left, ChunkState.PENDING))

    async def _send_one(self, chunk: Chunk, depth: int) -> list[tuple[Chunk, int]]:
        """Send a chunk and settle it, or return its halves when the API rejects something in it."""
        if not self._budget.reserve(chunk):
            self._report.settle(ChunkResult(chunk, ChunkState.PENDING))
            self._report.stopped = self._report.stopped or StopReason.MAX_COST  # those that reserved before still go
            return []
        watch = Watch(shield=True)
        token = current_watch.set(watch)
        self._under_way[watch] = chunk
        result: ChunkResult | None = None
        try:
            receipt = await self._send(chunk)
            result = ChunkResult(chunk, ChunkState.FAILED if receipt.failed else ChunkState.ACCEPTED, receipt)
        except RequestError as error:
            result = ChunkResult(chunk, _STATES[error.outcome], error=error)
        finally:
            current_watch.reset(token)
            del self._under_way[watch]
            self._report.refusals += sum(a.status_code == 429 for e in watch.exchanges for a in e.attempts)  # noqa: PLR2004
            if result is None:  # cancelled, or an error that is no answer of the API's
                result = ChunkResult(chunk, ChunkState.UNKNOWN if watch.on_wire else ChunkState.PENDING)
            self._budget.settle(result)
            halves = self._halves(result, depth)
            if not halves:
                self._report.settle(result)
        if halves:
            return halves
        reason = self._rules.judge(result)
        if reason is not None:
            self.stop(reason)
        with anyio.CancelScope(shield=True):  # a result that came is told, also when the run is stopping
            await self._on_result(result)
        return []

    def _halves(self, result: ChunkResult, depth: int) -> list[tuple[Chunk, int]]:
        if result.error is None or depth >= DEEPEST_SPLIT or not names_recipient(result.error):
            return []
        many = result.recipients
        if len(many) == 1:
            return []
        middle = len(many) // 2
        # the second half first: the list is taken from its end
        return [(attrs.evolve(result.chunk, recipients=half), depth + 1) for half in (many[middle:], many[:middle])]


_STATES = {
    Outcome.NOT_SENT: ChunkState.PENDING,
    Outcome.REJECTED: ChunkState.REJECTED,
    Outcome.UNKNOWN: ChunkState.UNKNOWN,
}
