"""Webhooks in an aiohttp.web application (extra ``aiohttp``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

from aiohttp import ClientPayloadError, web

from callsavvy_async.webhooks import WebhookRequest, Webhooks


def aiohttp_routes(hooks: Webhooks, *, prefix: str = "/hooks") -> list[web.RouteDef]:
    """Return the routes for ``app.add_routes``. Add `aiohttp_lifespan` too, which runs the background work.

    Args:
        hooks: the webhooks.
        prefix: path of the webhooks; the callback URL is the prefix, a slash and a secret.
    """

    async def handle(request: web.Request) -> web.Response:
        webhook = WebhookRequest(
            token=request.match_info["token"],
            method=request.method,
            headers=tuple((name.lower(), value) for name, value in request.headers.items()),
            peer=_peer(request),
            next_chunk=request.content.readany,
        )
        try:
            reply = await hooks.respond(webhook)
        except (ConnectionError, ClientPayloadError):
            return web.Response(status=400)  # the client disconnected before the end of its body
        return web.Response(status=reply.status, body=reply.body or None, headers=reply.headers)

    return [web.route("*", f"{prefix}/{{token:.*}}", handle)]


def aiohttp_lifespan(hooks: Webhooks) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return the context for ``app.cleanup_ctx.append``: it runs notifications in the background, and drains them at the end.

    A separate task holds the task group, because aiohttp may start and clean up in different tasks.
    """

    async def context(_app: web.Application) -> AsyncIterator[None]:
        started, stopping = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            async with hooks:
                started.set()
                await stopping.wait()

        running = asyncio.create_task(run(), name="callsavvy-webhooks")
        starting = asyncio.create_task(started.wait())
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        if not started.is_set():
            starting.cancel()
            await running
        yield
        stopping.set()
        await running

    return context


def _peer(request: web.Request) -> str | None:
    """Return the address of the connection's peer. `request.remote` may come from a header by way of a middleware."""
    name: object = request.transport.get_extra_info("peername") if request.transport else None
    return (
        str(cast("tuple[object, ...]", name)[0]) if isinstance(name, tuple) else None
    )  # a UNIX socket's name is a str
