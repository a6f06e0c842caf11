"""Webhooks in a FastAPI application (extra ``fastapi``)."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter
from starlette.routing import Route

from callsavvy_async.webhooks import Webhooks
from callsavvy_async.webhooks.asgi import Message, Receive, Send, answer_http


def fastapi_router(hooks: Webhooks, *, prefix: str = "/hooks") -> APIRouter:
    """Return a router for ``app.include_router``. The application's lifespan then runs and drains the webhooks.

    The OpenAPI document omits the routes, because only Callsavvy uses them.

    Args:
        hooks: the webhooks.
        prefix: path of the webhooks; the callback URL is the prefix, a slash and a secret.
    """
    route = Route(f"{prefix}/{{token:path}}", _WebhookEndpoint(hooks), include_in_schema=False)
    return APIRouter(routes=[route], lifespan=hooks.lifespan)


class _WebhookEndpoint:
    """An ASGI endpoint. For a plain function, FastAPI would read the whole body first, regardless of its size."""

    def __init__(self, hooks: Webhooks) -> None:
        self._hooks = hooks

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        token = cast("dict[str, str]", scope["path_params"])["token"]
        await answer_http(self._hooks.respond, scope, receive, send, token=token)
