"""The operator's page and its live figures."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
from campaigns import Campaigns
from events import SeenEvents
from fastapi import APIRouter
from fastapi.responses import FileResponse, StreamingResponse

PAGE = Path(__file__).parent / "static" / "operator.html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
TICK = 0.2
"""Seconds between two updates, so that a fast campaign sends at most five events per second to a page."""
KEEP_ALIVE = 10.0
"""Seconds until unchanged figures are sent again, so that proxies keep the stream open."""


def operator_router(campaigns: Campaigns, seen: SeenEvents, closing: threading.Event) -> APIRouter:
    """Make the routes ``/operator`` and ``/operator/events``."""
    router = APIRouter(prefix="/operator")

    async def stream() -> AsyncGenerator[str]:
        sent, sent_at = "", 0.0
        while not closing.is_set():
            shown, now = campaigns.shown, anyio.current_time()
            figures = json.dumps(
                {"campaign": shown and shown.figures, "unfinished": campaigns.unfinished, "events": seen}
            )
            if figures != sent or now - sent_at > KEEP_ALIVE:
                yield f"data: {figures}\n\n"
                sent, sent_at = figures, now
            await anyio.sleep(TICK)

    @router.get("", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})

    @router.get("/events")
    async def events() -> StreamingResponse:
        """Stream the figures as server-sent events."""
        return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    return router
