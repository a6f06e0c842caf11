"""Which handlers are there for which event, and running them so that nothing they do wrong reaches the sender."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.events import AnsweredEvent, Event, Notification
from callsavvy_async.webhooks.logs import log, log_failure
from callsavvy_async.webhooks.responses import ANSWERING, Reply

Handler: TypeAlias = Callable[[Event], Awaitable[object]]


@attrs.frozen
class Subscription:
    """A handler of notifications, and what confirms them for it."""

    handler: Handler
    confirm: Handler | None


class Handlers:
    """The handlers of one application: at most one where an answer is wanted, any number elsewhere."""

    def __init__(self, *, answer_timeout: float, handler_timeout: float | None) -> None:
        self._answer_timeout = answer_timeout
        self._handler_timeout = handler_timeout
        self._answerers: dict[type[Event], Handler] = {}
        self._subscriptions: dict[type[Event], list[Subscription]] = {}

    def add(self, event_type: type[Event], handler: Handler, *, confirm: Handler | None = None) -> None:
        """Register a handler.

        Raises:
            ConfigurationError: when it is not async, or the second one that would answer.
        """
        _check_async(handler)
        if issubclass(event_type, Notification):
            self._subscriptions.setdefault(event_type, []).append(Subscription(handler, confirm))
            return
        if event_type not in ANSWERING:
            raise ConfigurationError(f"{event_type.__name__} is no event that comes; name one, such as CallSummary.")
        if confirm is not None:
            raise ConfigurationError(f"{event_type.__name__} waits for its answer; confirm= is for notifications.")
        if event_type in self._answerers:
            raise ConfigurationError(
                f"{event_type.__name__} has a handler already; it is answered once, so it has exactly one."
            )
        self._answerers[event_type] = handler

    def wants(self, event: Notification) -> bool:
        """Tell whether there is anything to do for a notification."""
        return type(event) in self._subscriptions

    async def answer(self, event: AnsweredEvent) -> Reply:
        """Ask the event's handler; without one, after `answer_timeout` seconds or an error, use the safe answer."""
        answering = ANSWERING[type(event)]
        handler = self._answerers.get(type(event))
        if handler is None:
            return answering.fallback
        try:
            with anyio.fail_after(self._answer_timeout):
                return answering.render(await handler(event))
        except BaseException as error:
            if not _is_failure(error):
                raise
            log_failure(event, handler, error, consequence="the safe answer was given")
            return answering.fallback

    async def notify(self, event: Notification) -> None:
        """Run the event's handlers one after another; one that fails or hangs does not keep the others from it."""
        for subscription in self._subscriptions.get(type(event), ()):
            handler, confirm = subscription.handler, subscription.confirm
            try:
                with anyio.fail_after(self._handler_timeout):
                    if confirm is not None and not await confirm(event):
                        log.warning("%s: not confirmed; its handler did not run", type(event).__name__)
                        continue
                    await handler(event)
            except BaseException as error:
                if not _is_failure(error):
                    raise
                log_failure(event, handler, error, consequence="the event is not repeated")


def _is_failure(error: BaseException) -> bool:
    """Return whether an error is the handler's own: any exception, or the cancellation of something that it awaited.

    A cancellation that this task asked for (a timeout, a shutdown) has to go on; one that a handler met elsewhere, such
    as in a shared task that its owner cancelled, must neither end a live call nor the queue.
    """
    if isinstance(error, Exception):
        return True
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # under trio, whose own cancellation is another exception
        return True
    return task is None or not task.cancelling()


def _check_async(handler: Handler) -> None:
    called = handler if inspect.isroutine(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)):
        name = getattr(handler, "__qualname__", type(handler).__name__)
        raise ConfigurationError(f"{name} is no async function; write `async def {name}(event): ...`.")
