"""`Webhooks`: route a request to its handlers and reply."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from types import TracebackType
from typing import Self, TypeVar, cast, overload

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.allow_list import AllowList
from callsavvy_async.webhooks.asgi import Message, Receive, Send, answer_http, answer_lifespan, token_below_mount
from callsavvy_async.webhooks.duplicates import RecentBodies
from callsavvy_async.webhooks.events import AnsweredEvent, CallerInformation, ChatbotCallback, Event, Notification
from callsavvy_async.webhooks.handlers import Handler, Handlers
from callsavvy_async.webhooks.inbox import InboxJournal, InboxProcessor, StoredEvent
from callsavvy_async.webhooks.logs import MaskSecrets, log
from callsavvy_async.webhooks.notifications import NotificationQueue
from callsavvy_async.webhooks.parsing import MAX_BODY_BYTES, EventTooLargeError, MalformedEventError, parse
from callsavvy_async.webhooks.request import WebhookRequest
from callsavvy_async.webhooks.responses import (
    ACKNOWLEDGED,
    MALFORMED,
    NOT_FOUND,
    NOT_POST,
    OVERLOADED,
    TOO_LARGE,
    TOO_SLOW,
    CallerCard,
    Reply,
    SupportsHtml,
)
from callsavvy_async.webhooks.secrets import SecretSet
from callsavvy_async.webhooks.time_limit import within

H = TypeVar("H")
N = TypeVar("N", bound=Notification)
CallerHandler = TypeVar("CallerHandler", bound=Callable[[CallerInformation], Awaitable[CallerCard | None]])
BotHandler = TypeVar("BotHandler", bound=Callable[[ChatbotCallback], Awaitable[str | SupportsHtml]])
NotificationHandler = Callable[[N], Awaitable[None]]


class Webhooks:
    """Receives Callsavvy's events. It is an ASGI application.

    The callback URL for Callsavvy's dashboard is the URL of its mount point, a slash, and one of the secrets.

    Args:
        secrets: Path segments that authenticate Callsavvy. Pass two while one replaces the other.
        insecure: Accept any path when `secrets` is empty.
        allow_list: Addresses that may post. None for all.
        answer_timeout: Seconds until the safe answer replaces a handler's answer.
        handler_timeout: Seconds for each handler of a notification, including `confirm`. None for no timeout.
        body_timeout: Seconds for a request to send its body.
        concurrency: Maximum number of notifications processed at a time.
        queue_size: Maximum number of waiting notifications. Further ones get a 503.
        drain_timeout: Seconds that a shutdown waits for acknowledged notifications.
        duplicate_window: Seconds in which a repeated notification is acknowledged, but not processed. None turns it off.
        timezone: Zone of the API's times, which carry no zone. None leaves them naive.
        inbox: A `Journal` that stores each notification before its acknowledgement, and that is open while the webhooks run.
            A notification is handled at least once, by any process with the journal; see `event_key`. `queue_size` does not
            apply, and `duplicate_window` holds for all processes.

    Raises:
        ConfigurationError: `secrets` is empty, a secret is too weak, or a number is not positive.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str] = (),
        insecure: bool = False,
        allow_list: AllowList | None = None,
        answer_timeout: float = 2.5,
        handler_timeout: float | None = 60.0,
        body_timeout: float = 10.0,
        concurrency: int = 16,
        queue_size: int = 1_000,
        drain_timeout: float = 10.0,
        duplicate_window: float | None = None,
        timezone: tzinfo | None = None,
        inbox: InboxJournal | None = None,
    ) -> None:
        _check_positive(
            answer_timeout=answer_timeout,
            handler_timeout=handler_timeout,
            body_timeout=body_timeout,
            concurrency=concurrency,
            queue_size=queue_size,
            drain_timeout=drain_timeout,
            duplicate_window=duplicate_window,
        )
        self._secrets = SecretSet(secrets, insecure=insecure)
        self._allow_list = allow_list
        self._body_timeout = body_timeout
        self._timezone = timezone
        self._handlers = Handlers(answer_timeout=answer_timeout, handler_timeout=handler_timeout)
        self._recent = None if duplicate_window is None else RecentBodies(duplicate_window)
        self._inbox: InboxProcessor | None = None
        if inbox is not None:
            self._inbox = InboxProcessor(
                inbox,
                self._handle_stored,
                concurrency=concurrency,
                drain_timeout=drain_timeout,
                window=duplicate_window,
            )
        self._queue = NotificationQueue(
            self._handlers.notify, size=queue_size, concurrency=concurrency, drain_timeout=drain_timeout
        )
        self._entered = contextlib.AsyncExitStack()

    def __repr__(self) -> str:
        return f"Webhooks({self._secrets!r}, allow_list={self._allow_list!r})"

    # ------------------------------------------------------------------------------------------------------ handlers

    @overload
    def on(self, event: type[CallerInformation], /) -> Callable[[CallerHandler], CallerHandler]: ...
    @overload
    def on(self, event: type[ChatbotCallback], /) -> Callable[[BotHandler], BotHandler]: ...
    @overload
    def on(
        self, event: type[N], /, *, confirm: Callable[[N], Awaitable[bool]] | None = None
    ) -> Callable[[NotificationHandler[N]], NotificationHandler[N]]: ...
    def on(self, event: type[Event], /, *, confirm: Callable[[N], Awaitable[bool]] | None = None) -> Callable[[H], H]:
        """Register the decorated async function as a handler of an event.

        An answered event (`CallerInformation`, `ChatbotCallback`) takes exactly one handler, which returns the answer.
        A notification takes any number of handlers. They run one after another.

        Args:
            event: Type of the event.
            confirm: Async function that runs before a notification's handler. The handler is skipped if it returns False
                or raises. Events are not signed, so fetch the ticket or call from the API here.

        Raises:
            ConfigurationError: The function is not async, or the answered event already has a handler.
        """

        def register(handler: H) -> H:
            self._handlers.add(event, cast("Handler", handler), confirm=cast("Handler | None", confirm))
            return handler

        return register

    # ----------------------------------------------------------------------------------------------------- lifecycle

    async def __aenter__(self) -> Self:
        await self._entered.enter_async_context((self._inbox or self._queue).running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._entered.__aexit__(kind, error, trace)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None, None]:
        """Process notifications in the background while the application runs: ``Starlette(lifespan=hooks.lifespan)``.

        The shutdown waits at most `drain_timeout` seconds for acknowledged notifications.
        """
        async with self:
            yield

    # ------------------------------------------------------------------------------------------------------ requests

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle an ASGI request, or the lifespan of a standalone application."""
        match scope["type"]:
            case "http":
                await answer_http(self.respond, scope, receive, send, token=token_below_mount(scope))
            case "lifespan":
                await answer_lifespan(self.lifespan, receive, send)
            case _:
                await send({"type": "websocket.close"})

    async def handle(
        self,
        *,
        token: str,
        body: bytes,
        content_type: str | None = None,
        method: str = "POST",
        peer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Handle a request that another server has read.

        Args:
            token: Last segment of the callback URL.
            body: Whole body.
            content_type: Content-Type header.
            method: HTTP method.
            peer: Address at the other end of the connection. An allow-list needs it.
            headers: Other header fields. An allow-list with proxies needs them.
        """
        chunks = iter((body,))

        async def next_chunk() -> bytes:
            return next(chunks, b"")

        given = {name.lower(): value for name, value in (headers or {}).items()}
        if content_type is not None:
            given["content-type"] = content_type
        return await self.respond(
            WebhookRequest(token=token, method=method, headers=tuple(given.items()), peer=peer, next_chunk=next_chunk)
        )

    async def respond(self, request: WebhookRequest) -> Reply:
        """Handle a request whose body is not read yet. All server integrations use this method."""
        known = self._secrets.admit(request.token.removesuffix("/"))  # some dashboards and proxies append a slash
        allowed = self._allow_list is None or self._allow_list.admit(request.peer, request.headers)
        if not (known and allowed):
            return NOT_FOUND
        if request.method != "POST":
            return NOT_POST
        try:
            body = await within(self._body_timeout, request.read(limit=MAX_BODY_BYTES))
            event = parse(body, content_type=request.content_type, timezone=self._timezone)
        except TimeoutError:
            return TOO_SLOW
        except EventTooLargeError:
            return TOO_LARGE
        except MalformedEventError as error:
            log.warning("rejected a malformed event that came with a valid secret: %s", error)
            return MALFORMED
        if isinstance(event, AnsweredEvent):
            return await self._handlers.answer(event)
        notification = cast("Notification", event)
        if self._inbox is not None:
            return await self._store(notification, request.content_type)
        return await self._take(notification)

    async def _store(self, event: Notification, content_type: str | None) -> Reply:
        assert self._inbox is not None  # noqa: S101 - see `respond`
        if not self._handlers.wants(event) or await self._inbox.store(event.raw, content_type):
            return ACKNOWLEDGED
        return OVERLOADED

    async def _handle_stored(self, stored: StoredEvent) -> str | None:
        event = parse(stored.body, content_type=stored.content_type, timezone=self._timezone)
        return await self._handlers.run(cast("Notification", event), consequence="the event stays in the inbox")

    async def _take(self, event: Notification) -> Reply:
        if not self._handlers.wants(event) or (self._recent and not self._recent.add(event.raw)):
            return ACKNOWLEDGED
        if await self._queue.take(event):
            return ACKNOWLEDGED
        if self._recent:
            self._recent.discard(event.raw)
        return OVERLOADED

    def log_filter(self) -> MaskSecrets:
        """Return a filter that masks the secrets in a server's access log, which holds every path.

        ``logging.getLogger("uvicorn.access").addFilter(hooks.log_filter())``
        """
        return MaskSecrets(self._secrets)


def _check_positive(**figures: float | None) -> None:
    for name, figure in figures.items():
        if figure is not None and not figure > 0:
            raise ConfigurationError(f"{name} is {figure!r}; pass a number above 0.")
