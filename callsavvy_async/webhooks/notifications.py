"""Process notifications in the background, after their acknowledgement, with a bounded queue and a few workers."""

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
    """Passes notifications to `work` in the order of their arrival.

    While `running`, notifications wait in the queue, and a full queue rejects them. A worker does not yield to the event
    loop between two notifications. Otherwise quick handlers would finish only `concurrency` notifications per turn of the
    loop, many more could arrive in that turn, and the queue would overflow. A worker that finds the queue empty waits for
    the next notification (4 µs; a new task took 17).

    Outside `running`, a notification is processed before it is acknowledged. This suits tests, and serverless functions
    that are frozen after each response.
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
        self._idle: list[anyio.Event] = []
        self._unfinished = 0
        self._draining = False

    async def take(self, event: Notification) -> bool:
        """Queue a notification. Returns False if the queue is full or shutting down."""
        if self._tasks is None:
            await self._work(event)
            return True
        if self._draining or len(self._waiting) >= self._size:
            return False
        self._waiting.append(event)
        self._unfinished += 1
        if self._idle:
            self._idle.pop().set()
        elif self._workers < self._concurrency:
            self._workers += 1
            self._tasks.start_soon(self._process_all)
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Process notifications in the background until the block ends, then for at most `drain_timeout` seconds."""
        if self._tasks is not None:
            raise ConfigurationError(
                "these webhooks are already running; enter them once, by the app's lifespan or by `async with`, not by both."
            )
        try:
            async with anyio.create_task_group() as self._tasks:
                try:
                    yield
                finally:
                    self._draining = True
                    for idle in self._idle:
                        idle.set()
                    self._tasks.cancel_scope.deadline = anyio.current_time() + self._drain_timeout
        finally:
            if self._unfinished:
                log.error("%d acknowledged notifications were lost in the shutdown", self._unfinished)
            self._waiting.clear()
            self._idle.clear()
            self._tasks, self._workers, self._unfinished, self._draining = None, 0, 0, False

    async def _process_all(self) -> None:
        while True:
            while self._waiting:
                await self._work(self._waiting.popleft())
                self._unfinished -= 1
            if self._draining:
                return
            woken = anyio.Event()
            self._idle.append(woken)
            await woken.wait()
