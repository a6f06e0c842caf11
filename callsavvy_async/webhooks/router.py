"""`Webhooks`: the way of a request from the door to its answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from types import TracebackType
from typing import Self, TypeVar, cast, overload

import anyio

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks.allow_list import AllowList
from callsavvy_async.webhooks.asgi import Message, Receive, Send, answer_http, answer_lifespan, token_below_mount
from callsavvy_async.webhooks.duplicates import RecentBodies
from callsavvy_async.webhooks.events import AnsweredEvent, CallerInformation, ChatbotCallback, Event, Notification
from callsavvy_async.webhooks.handlers import Handler, Handlers
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

H = TypeVar("H")
N = TypeVar("N", bound=Notification)
CallerHandler = TypeVar("CallerHandler", bound=Callable[[CallerInformation], Awaitable[CallerCard | None]])
BotHandler = TypeVar("BotHandler", bound=Callable[[ChatbotCallback], Awaitable[str | SupportsHtml]])
NotificationHandler = Callable[[N], Awaitable[None]]


class Webhooks:
    """Receives Callsavvy's events; itself an ASGI application.

    The callback URL to enter in Callsavvy's dashboard is where this is mounted, a slash, and one of the secrets.

    Args:
        secrets: the path segments that open the door; two while one replaces the other.
        insecure: allow to have no secret: any path is taken.
        allow_list: the addresses that may post; None for all.
        answer_timeout: seconds that the handler of an answered event has before the safe answer is given.
        handler_timeout: seconds that each handler of a notification has, `confirm` included; None for no end.
        body_timeout: seconds that a request has to send its body.
        concurrency: how many notifications are worked off at a time.
        queue_size: how many notifications may wait; what comes then is answered 503.
        drain_timeout: seconds that a shutdown waits for the notifications that were acknowledged.
        duplicate_window: seconds in which a notification whose body came before is acknowledged and left; None for off.
        timezone: the zone of the API's naive times; None leaves them naive.

    Raises:
        ConfigurationError: when there is no secret, or one is easily guessed, or a figure makes no sense.
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

        Answered events (`CallerInformation`, `ChatbotCallback`) take exactly one, which returns the answer.
        Notifications take any number; those of one event run one after another.

        Args:
            event: the event's type.
            confirm: asked before a notification's handler runs; when it returns False or raises, the handler does not.
                Nothing signs an event, so let it fetch the ticket or call from the API before you act on the event.

        Raises:
            ConfigurationError: when the function is not async, or the event has its one handler already.
        """

        def register(handler: H) -> H:
            self._handlers.add(event, cast("Handler", handler), confirm=cast("Handler | None", confirm))
            return handler

        return register

    # ----------------------------------------------------------------------------------------------------- lifecycle

    async def __aenter__(self) -> Self:
        await self._entered.enter_async_context(self._queue.running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._entered.__aexit__(kind, error, trace)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None, None]:
        """Work notifications off in the background while the application runs: ``Starlette(lifespan=hooks.lifespan)``.

        At its end whatever was acknowledged is worked off, for `drain_timeout` seconds at most.
        """
        async with self:
            yield

    # ------------------------------------------------------------------------------------------------------ requests

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one ASGI request; served by itself rather than mounted, also the lifespan."""
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
        """Answer one request that another server read.

        Args:
            token: what followed the callback URL's own path.
            body: the whole body.
            content_type: the header.
            method: of HTTP.
            peer: address that the connection came from; needed with an allow-list.
            headers: others; needed with an allow-list that has proxies.
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
        """Answer one request whose body is still to be read: what all doors call."""
        known = self._secrets.admit(request.token.removesuffix("/"))  # dashboards and proxies append one
        allowed = self._allow_list is None or self._allow_list.admit(request.peer, request.headers)
        if not (known and allowed):
            return NOT_FOUND
        if request.method != "POST":
            return NOT_POST
        try:
            with anyio.fail_after(self._body_timeout):
                body = await request.read(limit=MAX_BODY_BYTES)
            event = parse(body, content_type=request.content_type, timezone=self._timezone)
        except TimeoutError:
            return TOO_SLOW
        except EventTooLargeError:
            return TOO_LARGE
        except MalformedEventError as error:
            log.warning("refused what was posted with a valid secret: %s", error)
            return MALFORMED
        if isinstance(event, AnsweredEvent):
            return await self._handlers.answer(event)
        return await self._take(cast("Notification", event))

    async def _take(self, event: Notification) -> Reply:
        if not self._handlers.wants(event) or (self._recent and not self._recent.add(event.raw)):
            return ACKNOWLEDGED
        if await self._queue.take(event):
            return ACKNOWLEDGED
        if self._recent:
            self._recent.discard(event.raw)
        return OVERLOADED

    def log_filter(self) -> MaskSecrets:
        """Make a filter that masks the secrets in the access log of a server, which holds every path.

        ``logging.getLogger("uvicorn.access").addFilter(hooks.log_filter())``
        """
        return MaskSecrets(self._secrets)


def _check_positive(**figures: float | None) -> None:
    for name, figure in figures.items():
        if figure is not None and not figure > 0:
            raise ConfigurationError(f"{name} is {figure!r}; it must be more than 0.")
