"""Notifications are acknowledged first and worked off afterwards, by workers behind a bounded queue."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.events import Notification
from callsavvy_async.webhooks.logs import log


class NotificationQueue:
    """Hands notifications to `work`.

    While `running`, they wait in the queue; what does not fit is refused. Outside of it there is nothing that could
    outlive the request, so a notification is worked off before it is acknowledged: right for a function that is frozen
    after each answer, and for tests.
    """

    def __init__(
        self, work: Callable[[Notification], Awaitable[None]], *, size: int, workers: int, drain_timeout: float
    ) -> None:
        self._work = work
        self._size = size
        self._workers = workers
        self._drain_timeout = drain_timeout
        self._queue: MemoryObjectSendStream[Notification] | None = None
        self._unfinished = 0

    async def take(self, event: Notification) -> bool:
        """Queue a notification; False when it was refused."""
        if self._queue is None:
            await self._work(event)
            return True
        try:
            self._queue.send_nowait(event)
        except (anyio.WouldBlock, anyio.ClosedResourceError):  # full, or being drained
            return False
        self._unfinished += 1
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Work while the block runs; at its end drain the queue, for `drain_timeout` seconds at most."""
        if self._queue is not None:
            raise ConfigurationError(
                "these webhooks run already; enter them once, by the app's lifespan or by `async with`, not by both."
            )
        self._queue, events = anyio.create_memory_object_stream[Notification](self._size)
        try:
            with events:
                async with anyio.create_task_group() as workers:
                    for _ in range(self._workers):
                        workers.start_soon(self._work_off, events)
                    try:
                        yield
                    finally:
                        self._queue.close()
                        workers.cancel_scope.deadline = anyio.current_time() + self._drain_timeout
        finally:
            if self._unfinished:
                log.error("%d notifications were acknowledged and are lost: shutdown came first", self._unfinished)
            self._queue, self._unfinished = None, 0

    async def _work_off(self, events: MemoryObjectReceiveStream[Notification]) -> None:
        async for event in events:
            await self._work(event)
            self._unfinished -= 1
