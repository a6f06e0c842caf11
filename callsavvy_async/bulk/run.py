"""A run as its user holds it: to await, to iterate over, to stop. The base of bulk and campaign runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Generic, TypeAlias, TypeVar

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.options import BulkSettings, SendSettings
from callsavvy_async.bulk.report import BulkReport, ChunkResult, StopReason, Sums
from callsavvy_async.bulk.report_sink import ReportSink
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.bulk.stop_rules import Budget, StopRules
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.resources.messaging import Messaging
from callsavvy_async.transport.background import beside, spawn

R = TypeVar("R", bound=Sums)
_Stream: TypeAlias = MemoryObjectSendStream[ChunkResult]


class Run(ABC, Generic[R]):
    """A send to many people: await it for its report, or iterate over it for the results as they come. Once.

    ``run.report`` is there at any time, also after the run was cancelled. Cancelling sends nothing more and waits for
    the answers to what is on the wire (at most the timeout of a request).
    """

    def __init__(self, report: R, settings: SendSettings) -> None:
        self.report = report
        """What became of the recipients so far."""
        self._settings = settings
        self._stream: _Stream | None = None
        self._began = False

    def stop(self) -> None:
        """Send nothing more, wait for what is on the wire, and report. What was not sent is pending."""
        self._stop(StopReason.INTERRUPTED)

    @abstractmethod
    def abandon(self) -> None:
        """Stop without waiting: what is on the wire becomes unknown."""

    def __await__(self) -> Generator[object, None, R]:
        return self._run().__await__()

    def __aiter__(self) -> AsyncIterator[ChunkResult]:
        return Results(self._run_into, self.stop)

    @abstractmethod
    async def _send(self) -> None:
        """Send, and fill the report."""

    @abstractmethod
    def _stop(self, reason: StopReason) -> None:
        """Send nothing more, for a reason."""

    async def _run(self) -> R:
        if self._began:
            raise InvalidRequestError("this run was started before; make a new one.")
        self._began = True
        began = anyio.current_time()
        try:
            if self._settings.deadline is None:
                await self._send()
            else:
                async with beside(self._stop_at_deadline, self._settings.deadline):
                    await self._send()
        finally:
            self.report.elapsed = anyio.current_time() - began
        self.report.check()
        return self.report

    async def _run_into(self, stream: _Stream) -> None:
        self._stream = stream
        await self._run()

    async def _hand_on(self, result: ChunkResult) -> None:
        """Hand a result to whoever wants it; the reader of a stream sets the pace."""
        if self._settings.on_result is not None:
            self._settings.on_result(result)
        if self._settings.on_progress is not None:
            self._settings.on_progress(self.report)
        if self._stream is not None:
            try:
                await self._stream.send(result)
            except anyio.BrokenResourceError:
                self._stream = None  # the reader has left

    async def _stop_at_deadline(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._stop(StopReason.DEADLINE)


class BulkRun(Run[BulkReport]):
    """A bulk send. Its report does not survive the process.

    Args:
        messaging: the methods of the API that send.
        recipients: who gets it.
        message: what they get.
        settings: how it goes about it.

    Raises:
        InvalidRequestError: an argument breaks a rule; nothing was sent.
    """

    def __init__(self, messaging: Messaging, recipients: Recipients, message: Message, settings: BulkSettings) -> None:
        super().__init__(BulkReport(), settings)
        settings.check_for(message)
        size = ChunkSize(message.chunk_size(settings.chunk_size), free=settings.max_in_flight)
        self._fan_out = FanOut(
            lambda chunk: message.send(messaging, chunk.numbers, chunk.text, **settings.request),
            InputSource(
                recipients,
                recipient_filter=settings.recipient_filter(message, doubtful=self.report.doubtful),
                chunker=Chunker(size=size, message=message),
                report=self.report,
            ),
            self.report,
            sink=ReportSink(self.report, Budget(settings.max_cost), size),
            workers=settings.max_in_flight,
            rules=StopRules(settings.stop_after),
            on_result=self._hand_on,
        )

    def abandon(self) -> None:
        """Stop without waiting: what is on the wire becomes unknown."""
        self._fan_out.abandon()

    async def _send(self) -> None:
        await self._fan_out.run()

    def _stop(self, reason: StopReason) -> None:
        self._fan_out.stop(reason)


@attrs.define
class _BackgroundRun:
    """A run beside its reader. It knows nothing of the reader, so that dropping the reader can stop it."""

    sender: _Stream
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    failure: BaseException | None = None

    async def go(self, run: Callable[[_Stream], Awaitable[None]]) -> None:
        try:
            await run(self.sender)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever iterates
            self.failure = error
        finally:
            self.sender.close()
            self.ended.set()


class Results:
    """The results of a run as an async iterator. Dropping it, by leaving the loop early, stops the run.

    No async generator: the run goes on between two results, and a task group cannot span the yields of a generator
    that may be left unfinished.

    Args:
        run: runs, and hands every result to a stream.
        stop: stops the run.
    """

    def __init__(self, run: Callable[[_Stream], Awaitable[None]], stop: Callable[[], object]) -> None:
        self._run = run
        self._stop = stop
        self._background: _BackgroundRun | None = None
        self._receiver: MemoryObjectReceiveStream[ChunkResult] | None = None

    def __aiter__(self) -> AsyncIterator[ChunkResult]:
        return self

    async def __anext__(self) -> ChunkResult:
        if self._receiver is None or self._background is None:
            sender, self._receiver = anyio.create_memory_object_stream[ChunkResult]()
            self._background = _BackgroundRun(sender)
            spawn(self._background.go(self._run))
        try:
            return await self._receiver.receive()
        except anyio.EndOfStream:
            await self.aclose()
            if self._background.failure is not None:
                raise self._background.failure from None
            raise StopAsyncIteration from None
        except BaseException:  # cancelled: wait for what is on the wire, as an awaited run does
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop the run if it has not ended, and wait until what is on the wire has settled."""
        self._drop()
        if self._background is not None:
            with anyio.CancelScope(shield=True):
                await self._background.ended.wait()

    def _drop(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
        if self._background is None or not self._background.ended.is_set():
            self._stop()

    def __del__(self) -> None:
        self._drop()
