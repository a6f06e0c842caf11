"""Handle the events of a durable inbox: at least once, each under a key that stays the same.

Theory: an event is stored before it is acknowledged, so an acknowledged event is never lost. It may be handled again, after a
failure or the death of its process. Sends in its handler happen once if their keys derive from `event_key`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol, Self

import anyio
import attrs

from callsavvy_async.errors import CallsavvyError, ConfigurationError
from callsavvy_async.webhooks.logs import describe, log
from callsavvy_async.work_loop import WorkLoop

_POLL = 2.0
"""Seconds between two looks for events that other processes left, or that failed before."""
_BETWEEN_DELETIONS = 60.0

_key: ContextVar[str] = ContextVar("callsavvy_event_key")


def event_key() -> str:
    """Return the key of the event that the running handler handles. It is the same each time that the event is handled.

    Example: ``await callsavvy.messaging.send_sms(number, text, key=f"{event_key()}-thanks")``

    Raises:
        ConfigurationError: No handler is running, or the webhooks have no inbox.
    """
    try:
        return _key.get()
    except LookupError:
        raise ConfigurationError(
            "event_key() works in the handler of a notification, with Webhooks(inbox=journal)."
        ) from None


@attrs.frozen
class StoredEvent:
    """An event in an inbox."""

    key: str
    body: bytes = attrs.field(repr=False)
    content_type: str | None
    attempts: int
    """Number of attempts, including this one."""


class Inbox(Protocol):
    """Stores events. `Journal.inbox` implements it; the methods are described there."""

    async def add(self, body: bytes, content_type: str | None, window: float | None, /) -> bool:
        """Store an event durably. Return False if the same body came within the window of seconds."""
        ...

    async def take(self, most: int, /) -> list[StoredEvent]:
        """Take events that are due."""
        ...

    async def handled(self, event: StoredEvent, /) -> None:
        """Record that an event was handled."""
        ...

    async def failed(self, event: StoredEvent, detail: str, /) -> bool:
        """Record a failure. Return True if the event is a dead letter now."""
        ...

    async def release(self, event: StoredEvent, /) -> None:
        """Give an event back."""
        ...

    async def forget(self, window: float | None, /) -> None:
        """Delete what is too old to be the first of a duplicate."""
        ...


class InboxJournal(Protocol):
    """A `Journal`, which is open while the webhooks run."""

    @property
    def inbox(self) -> Inbox:
        """Its events."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *error: object) -> None: ...


class InboxProcessor:
    """Stores events, and passes them to `handle` in the background.

    Args:
        journal: Where events are stored. It is opened and closed here.
        handle: Handles an event; returns the type and place of a failure, or None.
        concurrency: Maximum number of events handled at a time.
        drain_timeout: Seconds that the end of `running` waits for handlers.
        window: See `Webhooks(duplicate_window=)`.
    """

    def __init__(
        self,
        journal: InboxJournal,
        handle: Callable[[StoredEvent], Awaitable[str | None]],
        *,
        concurrency: int,
        drain_timeout: float,
        window: float | None,
    ) -> None:
        self._journal = journal
        self._handle = handle
        self._concurrency = concurrency
        self._drain_timeout = drain_timeout
        self._window = window
        self._loop: WorkLoop[StoredEvent] | None = None

    async def store(self, body: bytes, content_type: str | None) -> bool:
        """Store an event. Return False if it cannot be stored now."""
        loop = self._loop
        if loop is None:
            raise ConfigurationError(
                "webhooks with inbox= store events while they run; enter them by the app's lifespan or by `async with`."
            )
        try:
            added = await self._journal.inbox.add(body, content_type, self._window)
        except CallsavvyError as error:
            log.error("an event was not acknowledged: %s", error)
            return False
        if added:
            loop.wake()
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Open the journal, and handle events until the block ends."""
        async with self._journal, anyio.create_task_group() as helpers:
            helpers.start_soon(self._forget)
            release = self._journal.inbox.release
            loop = WorkLoop(self._take, self._process, release, most=self._concurrency, poll=_POLL)
            async with anyio.create_task_group() as work:
                work.start_soon(loop.run)
                self._loop = loop
                try:
                    yield
                finally:
                    self._loop = None
                    loop.stop(within=self._drain_timeout)
            helpers.cancel_scope.cancel()

    async def _take(self, most: int) -> list[StoredEvent]:
        try:
            return await self._journal.inbox.take(most)
        except CallsavvyError:  # an outage: the next look
            return []

    async def _process(self, event: StoredEvent) -> None:
        inbox = self._journal.inbox
        token = _key.set(event.key)
        try:
            failure = await self._handle(event)
        except Exception as error:  # noqa: BLE001 - a stored body that another version cannot read
            failure = describe(error)
        finally:
            _key.reset(token)
        try:
            if failure is None:
                await inbox.handled(event)
            elif await inbox.failed(event, failure):
                log.error("the event %s is a dead letter: %s", event.key, failure)
        except CallsavvyError as error:
            log.error("the end of the event %s is not recorded: %s", event.key, error)

    async def _forget(self) -> None:
        while True:
            with contextlib.suppress(CallsavvyError):
                await self._journal.inbox.forget(self._window)
            await anyio.sleep(_BETWEEN_DELETIONS)
