"""The public page, with Callsavvy's chat under a strict Content-Security-Policy."""

from __future__ import annotations

import secrets

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from callsavvy_async import embeds

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Talk to us</title>
  <link rel="icon" href="data:,"><link rel="stylesheet" href="/static/service.css">
</head>
<body><main><h1>Talk to us</h1><p>The chat is in the corner. We are open from nine to five.</p></main>
{chat}
</body>
</html>
"""
POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "


def contact_router(public_key: str) -> APIRouter:
    """Make the route ``/``."""
    router = APIRouter()
    chat = embeds.chat(public_key)

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def contact() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        headers = {"Content-Security-Policy": POLICY + chat.csp(nonce=nonce), "Cache-Control": "no-store"}
        return HTMLResponse(PAGE.format(chat=chat.html(nonce=nonce)), headers=headers)

    return router
