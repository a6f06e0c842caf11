"""The ASGI interface of webhooks (ASGI 3: HTTP and lifespan)."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TypeAlias, cast

from callsavvy_async.webhooks.request import WebhookRequest
from callsavvy_async.webhooks.responses import Reply

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Respond: TypeAlias = Callable[[WebhookRequest], Awaitable[Reply]]


class _ClientGoneError(Exception):
    """The client disconnected before the end of its body, so the response has no recipient."""


def token_below_mount(scope: Message) -> str:
    """Return the path below the mount point. Older servers strip the mount point from ``path``, newer ones do not."""
    path, mounted_at = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(mounted_at).removeprefix("/")


async def answer_http(respond: Respond, scope: Message, receive: Receive, send: Send, *, token: str) -> None:
    """Read one request, pass it to `respond`, and send the reply.

    Args:
        respond: Makes the reply.
        scope: Scope of the connection (ASGI 3).
        receive: Receives its messages.
        send: Sends its messages.
        token: Secret in the path.
    """
    client = cast("tuple[str, int] | None", scope.get("client"))
    request = WebhookRequest(
        token=token,
        method=str(scope["method"]),
        headers=tuple(
            [  # a generator would cost a function call for each field
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
            ]
        ),
        peer=client[0] if client else None,
        next_chunk=_chunk_reader(receive),
    )
    try:
        reply = await respond(request)
    except _ClientGoneError:
        return
    # a list for each request: middleware may add to it
    await send({"type": "http.response.start", "status": reply.status, "headers": [*_encoded(reply.headers)]})
    await send({"type": "http.response.body", "body": reply.body})


@functools.lru_cache(maxsize=16)  # few replies differ in them: 0.3 µs in place of 1.5
def _encoded(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)


def _chunk_reader(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    more = True

    async def next_chunk() -> bytes:
        nonlocal more
        chunk = b""
        while more and not chunk:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            chunk, more = cast("bytes", message.get("body", b"")), bool(message.get("more_body", False))
        return chunk

    return next_chunk


async def answer_lifespan(
    running: Callable[[], contextlib.AbstractAsyncContextManager[None]], receive: Receive, send: Send
) -> None:
    """Keep `running` open from startup to shutdown. It closes before the shutdown is reported as complete."""
    await receive()
    async with running():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
