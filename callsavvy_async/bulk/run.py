"""Runs of bulk sends and campaigns, which the user awaits, iterates over or stops."""

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
    """A send to many recipients. Await it for its report, or iterate over it for its results, once.

    ``run.report`` is available at any time, also after cancellation. A cancelled run sends nothing more and waits for the
    responses to requests in flight, at most for the timeout of a request.
    """

    def __init__(self, report: R, settings: SendSettings) -> None:
        self.report = report
        """The results so far."""
        self._settings = settings
        self._stream: _Stream | None = None
        self._began = False

    def stop(self) -> None:
        """Start no further request, and finish the requests in flight. The remaining recipients are pending."""
        self._stop(StopReason.INTERRUPTED)

    @abstractmethod
    def abandon(self) -> None:
        """Stop without waiting. Requests in flight become unknown."""

    def __await__(self) -> Generator[object, None, R]:
        return self._run().__await__()

    def __aiter__(self) -> AsyncIterator[ChunkResult]:
        return Results(self._run_into, self.stop)

    @abstractmethod
    async def _send(self) -> None:
        """Send, and fill the report."""

    @abstractmethod
    def _stop(self, reason: StopReason) -> None:
        """Start no further request."""

    async def _run(self) -> R:
        if self._began:
            raise InvalidRequestError("this run was started before; a run can be awaited only once. Start a new one.")
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
        """Pass a result to the callbacks and to the iterator, which sets the pace."""
        if self._settings.on_result is not None:
            self._settings.on_result(result)
        self._show_progress()
        if self._stream is not None:
            try:
                await self._stream.send(result)
            except anyio.BrokenResourceError:
                self._stream = None  # the iterator was dropped

    def _show_progress(self) -> None:
        if self._settings.on_progress is not None:
            self._settings.on_progress(self.report)

    async def _stop_at_deadline(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._stop(StopReason.DEADLINE)


class BulkRun(Run[BulkReport]):
    """A bulk send. Its report does not survive the process.

    Args:
        messaging: the API's methods for sending.
        recipients: the recipients.
        message: the message.
        settings: the options.

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
        """Stop without waiting. Requests in flight become unknown."""
        self._fan_out.abandon()

    async def _send(self) -> None:
        await self._fan_out.run()

    def _stop(self, reason: StopReason) -> None:
        self._fan_out.stop(reason)


@attrs.define
class _BackgroundRun:
    """A run in a background task. It holds no reference to the iterator, so that dropping the iterator stops the run."""

    sender: _Stream
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    failure: BaseException | None = None

    async def go(self, run: Callable[[_Stream], Awaitable[None]]) -> None:
        try:
            await run(self.sender)
        except BaseException as error:  # noqa: BLE001 - raised again by the iterator
            self.failure = error
        finally:
            self.sender.close()
            self.ended.set()


class Results:
    """The results of a run as an async iterator. Dropping it, for example with ``break``, stops the run.

    It is not an async generator, because the run continues between two results, and a task group must not span the yields of
    a generator that may stay unfinished.

    Args:
        run: runs, and sends each result to a stream.
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
        except BaseException:  # cancelled: wait for requests in flight, as an awaited run does
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop the run unless it has ended, and wait for the requests in flight."""
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
