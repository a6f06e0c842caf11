"""Register handlers for events and run them. A handler's failure never reaches Callsavvy."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.events import AnsweredEvent, Event, Notification
from callsavvy_async.webhooks.logs import describe, log, log_failure
from callsavvy_async.webhooks.responses import ANSWERING, Reply
from callsavvy_async.webhooks.time_limit import within

Handler: TypeAlias = Callable[[Event], Awaitable[object]]


@attrs.frozen
class Subscription:
    """A handler of notifications and its confirmation."""

    handler: Handler
    confirm: Handler | None

    def pass_on(self, event: Notification) -> Awaitable[object]:
        """Call the handler, after a confirmation if there is one."""
        return self.handler(event) if self.confirm is None else self._confirmed(event, self.confirm)

    async def _confirmed(self, event: Notification, confirm: Handler) -> None:
        if await confirm(event):
            await self.handler(event)
        else:
            log.warning("%s: not confirmed; the handler was skipped", type(event).__name__)


class Handlers:
    """The handlers of one application: at most one for each answered event, any number for each notification."""

    def __init__(self, *, answer_timeout: float, handler_timeout: float | None) -> None:
        self._answer_timeout = answer_timeout
        self._handler_timeout = handler_timeout
        self._answerers: dict[type[Event], Handler] = {}
        self._subscriptions: dict[type[Event], list[Subscription]] = {}

    def add(self, event_type: type[Event], handler: Handler, *, confirm: Handler | None = None) -> None:
        """Register a handler.

        Raises:
            ConfigurationError: The handler is not async, or the answered event already has a handler.
        """
        _check_async(handler)
        if issubclass(event_type, Notification):
            self._subscriptions.setdefault(event_type, []).append(Subscription(handler, confirm))
            return
        if event_type not in ANSWERING:
            raise ConfigurationError(f"{event_type.__name__} is a base class; register an event, such as CallSummary.")
        if confirm is not None:
            raise ConfigurationError(
                f"{event_type.__name__} is answered at once; remove confirm=, it is for notifications."
            )
        if event_type in self._answerers:
            raise ConfigurationError(f"{event_type.__name__} already has its one handler; remove one of the two.")
        self._answerers[event_type] = handler

    def wants(self, event: Notification) -> bool:
        """Return True if a notification has a handler."""
        return type(event) in self._subscriptions

    async def answer(self, event: AnsweredEvent) -> Reply:
        """Return the handler's answer, or the safe answer on a timeout, on an error, or without a handler."""
        answering = ANSWERING[type(event)]
        handler = self._answerers.get(type(event))
        if handler is None:
            return answering.fallback
        try:
            return answering.render(await within(self._answer_timeout, handler(event)))
        except BaseException as error:
            if not _is_failure(error):
                raise
            log_failure(event, handler, error, consequence="the safe answer was sent")
            return answering.fallback

    async def notify(self, event: Notification) -> None:
        """Run the event's handlers one after another. A failure or a timeout of one does not affect the others."""
        await self.run(event, consequence="the event will not be retried")

    async def run(self, event: Notification, *, consequence: str) -> str | None:
        """Run the event's handlers, log their failures, and return the last failure's type and place; None without one."""
        failure = None
        for subscription in self._subscriptions.get(type(event), ()):
            try:
                await within(self._handler_timeout, subscription.pass_on(event))
            except BaseException as error:
                if not _is_failure(error):
                    raise
                log_failure(event, subscription.handler, error, consequence=consequence)
                failure = describe(error)
        return failure


def _is_failure(error: BaseException) -> bool:
    """Return True if an error is the handler's: any exception, or the cancellation of a task that the handler awaited.

    The cancellation of the current task (a timeout, a shutdown) must propagate. The cancellation of another task that
    the handler awaited must neither break a live call nor end the queue.
    """
    if isinstance(error, Exception):
        return True
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # under trio, which has another exception for cancellation
        return True
    return task is None or not task.cancelling()


def _check_async(handler: Handler) -> None:
    called = handler if inspect.isroutine(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)):
        name = getattr(handler, "__qualname__", type(handler).__name__)
        raise ConfigurationError(f"{name} is not an async function; write `async def {name}(event): ...`.")
