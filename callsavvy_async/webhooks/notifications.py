"""Notifications are acknowledged first and worked off afterwards, by a few workers behind a bounded queue."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.events import Notification
from callsavvy_async.webhooks.logs import log


class NotificationQueue:
    """Hands notifications to `work`, first come, first served.

    While `running`, they wait in the queue, and what does not fit is refused. A worker lives as long as there is work
    and takes one after another without giving way to the event loop in between: otherwise quick handlers would finish
    `concurrency` of them in a turn of the loop in which many more may arrive, and the queue would run over by itself.

    Outside of `running` there is nothing that could outlive the request, so a notification is worked off before it is
    acknowledged: right for a function that is frozen after each answer, and for tests.
    """

    def __init__(
        self, work: Callable[[Notification], Awaitable[None]], *, size: int, concurrency: int, drain_timeout: float
    ) -> None:
        self._work = work
        self._size = size
        self._concurrency = concurrency
        self._drain_timeout = drain_timeout
        self._tasks: TaskGroup | None = None
        self._waiting: deque[Notification] = deque()
        self._workers = 0
        self._unfinished = 0
        self._draining = False

    async def take(self, event: Notification) -> bool:
        """Queue a notification; False when it was refused."""
        if self._tasks is None:
            await self._work(event)
            return True
        if self._draining or len(self._waiting) >= self._size:
            return False
        self._waiting.append(event)
        self._unfinished += 1
        if self._workers < self._concurrency:
            self._workers += 1
            self._tasks.start_soon(self._work_off)
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Work in the background while the block runs; at its end finish, in `drain_timeout` seconds at most."""
        if self._tasks is not None:
            raise ConfigurationError(
                "these webhooks run already; enter them once, by the app's lifespan or by `async with`, not by both."
            )
        try:
            async with anyio.create_task_group() as self._tasks:
                try:
                    yield
                finally:
                    self._draining = True
                    self._tasks.cancel_scope.deadline = anyio.current_time() + self._drain_timeout
        finally:
            if self._unfinished:
                log.error("%d notifications were acknowledged and are lost: shutdown came first", self._unfinished)
            self._waiting.clear()
            self._tasks, self._workers, self._unfinished, self._draining = None, 0, 0, False

    async def _work_off(self) -> None:
        while self._waiting:
            await self._work(self._waiting.popleft())
            self._unfinished -= 1
        self._workers -= 1
