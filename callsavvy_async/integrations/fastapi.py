"""Webhooks in a FastAPI application (extra ``fastapi``)."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter
from starlette.routing import Route

from callsavvy_async.webhooks import Webhooks
from callsavvy_async.webhooks.asgi import Message, Receive, Send, answer_http


def fastapi_router(hooks: Webhooks, *, prefix: str = "/hooks") -> APIRouter:
    """Make a router for ``app.include_router``; the application's lifespan then runs and drains the webhooks.

    The routes are left out of the OpenAPI document: they are for Callsavvy alone.

    Args:
        hooks: the webhooks.
        prefix: their path; the callback URL is it, a slash, and a secret.
    """
    route = Route(f"{prefix}/{{token:path}}", _WebhookEndpoint(hooks), include_in_schema=False)
    return APIRouter(routes=[route], lifespan=hooks.lifespan)


class _WebhookEndpoint:
    """An ASGI endpoint and no function: FastAPI would read the body, whatever its size, before it called one."""

    def __init__(self, hooks: Webhooks) -> None:
        self._hooks = hooks

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        token = cast("dict[str, str]", scope["path_params"])["token"]
        await answer_http(self._hooks.respond, scope, receive, send, token=token)
