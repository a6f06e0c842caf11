"""The application: one client for its whole life, and what hangs on it."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from campaign_routes import campaign_router
from campaigns import Campaigns
from contact_page import contact_router
from events import SeenEvents, make_hooks
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.staticfiles import StaticFiles
from operator_page import operator_router
from sends import sends_router

from callsavvy_async import Callsavvy
from callsavvy_async.integrations.fastapi import fastapi_router

STATIC = Path(__file__).parent / "static"


def create_app(client: Callsavvy, *, public_key: str, secret: str, closing: threading.Event) -> FastAPI:
    """Make the application.

    Args:
        client: opened and closed by the application.
        public_key: for the chat in the public page.
        secret: the last segment of the callback URL, ``/hooks/<secret>``.
        closing: set when the server is about to stop; open event streams then end, which the server waits for.
    """
    campaigns, seen = Campaigns(client), SeenEvents()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with client, campaigns.running():  # a campaign drains while the client is still open
            yield

    app = FastAPI(title="Callsavvy example", lifespan=lifespan)
    app.include_router(fastapi_router(make_hooks(secret, seen)))
    app.include_router(contact_router(public_key))
    guarded = (sends_router(client), operator_router(campaigns, seen, closing), campaign_router(campaigns))
    for router in guarded:
        app.include_router(router, dependencies=[Depends(refuse_foreign_pages)])
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def refuse_foreign_pages(sec_fetch_site: Annotated[str, Header()] = "none") -> None:
    """Refuse what a page of another origin makes the operator's browser send. It is no login: put yours in front."""
    if sec_fetch_site not in {"none", "same-origin"}:
        raise HTTPException(403, "This comes from a page of another origin.")
