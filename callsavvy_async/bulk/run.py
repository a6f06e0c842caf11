"""A bulk send as its user holds it: to await, to iterate over, to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.report import BulkReport, ChunkResult, StopReason
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.transport.background import spawn


@attrs.define
class Teller:
    """Hands every result to whoever wants it."""

    on_result: Callable[[ChunkResult], object] | None = None
    stream: MemoryObjectSendStream[ChunkResult] | None = None

    async def __call__(self, result: ChunkResult) -> None:
        """Hand it on; the stream's reader sets the pace."""
        if self.on_result is not None:
            self.on_result(result)
        if self.stream is not None:
            try:
                await self.stream.send(result)
            except anyio.BrokenResourceError:
                self.stream = None  # nobody listens any more


class BulkRun:
    """A bulk send: await it for its report, or iterate over it for the results as they come. Once.

    ``run.report`` is there at any time, also after the run was cancelled. Cancelling sends nothing more and waits for
    the answers to what is on the wire (at most the timeout of a call).
    """

    def __init__(self, fan_out: FanOut, report: BulkReport, tell: Teller) -> None:
        self.report = report
        """What became of the recipients so far."""
        self._fan_out = fan_out
        self._tell = tell
        self._began = False

    def stop(self) -> None:
        """Send nothing more, wait for what is on the wire, and report. What was not sent is pending."""
        self._fan_out.stop(StopReason.INTERRUPTED)

    def abandon(self) -> None:
        """Stop without waiting: what is on the wire becomes unknown."""
        self._fan_out.abandon()

    def __await__(self) -> Generator[object, None, BulkReport]:
        return self._run().__await__()

    def __aiter__(self) -> AsyncIterator[ChunkResult]:
        return Results(self)

    async def _run(self) -> BulkReport:
        if self._began:
            raise InvalidRequestError("this bulk run was started before; make a new one.")
        self._began = True
        began = anyio.current_time()
        try:
            await self._fan_out.run()
        finally:
            self.report.elapsed = anyio.current_time() - began
        self.report.check()
        return self.report

    async def run_into(self, stream: MemoryObjectSendStream[ChunkResult]) -> BulkReport:
        """Run, and hand every result to a stream."""
        self._tell.stream = stream
        return await self._run()


@attrs.define
class _Aside:
    """A run beside its reader. It knows nothing of the reader, so that dropping the reader can stop it."""

    sender: MemoryObjectSendStream[ChunkResult]
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    failure: BaseException | None = None

    async def go(self, run: BulkRun) -> None:
        try:
            await run.run_into(self.sender)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever iterates
            self.failure = error
        finally:
            self.sender.close()
            self.ended.set()


class Results:
    """The results of a run as an async iterator. Dropping it, by leaving the loop early, stops the run.

    No async generator: the run goes on between two results, and a task group cannot span the yields of a generator
    that may be left unfinished.
    """

    def __init__(self, run: BulkRun) -> None:
        self._run = run
        self._aside: _Aside | None = None
        self._receiver: MemoryObjectReceiveStream[ChunkResult] | None = None

    def __aiter__(self) -> AsyncIterator[ChunkResult]:
        return self

    async def __anext__(self) -> ChunkResult:
        if self._receiver is None or self._aside is None:
            sender, self._receiver = anyio.create_memory_object_stream[ChunkResult]()
            self._aside = _Aside(sender)
            spawn(self._aside.go(self._run))
        try:
            return await self._receiver.receive()
        except anyio.EndOfStream:
            await self.aclose()
            if self._aside.failure is not None:
                raise self._aside.failure from None
            raise StopAsyncIteration from None
        except BaseException:  # cancelled: wait for what is on the wire, as an awaited run does
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop the run if it has not ended, and wait until what is on the wire has settled."""
        self._drop()
        if self._aside is not None:
            with anyio.CancelScope(shield=True):
                await self._aside.ended.wait()

    def _drop(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
        if self._aside is None or not self._aside.ended.is_set():
            self._run.stop()

    def __del__(self) -> None:
        self._drop()
