"""The application, with one client and one journal for its whole lifetime."""

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
from callsavvy_async.campaigns import Journal
from callsavvy_async.integrations.fastapi import fastapi_router

STATIC = Path(__file__).parent / "static"


def create_app(
    client: Callsavvy, journal: Journal, *, rate: str | None, public_key: str, secret: str, closing: threading.Event
) -> FastAPI:
    """Make the application.

    Args:
        client: Client, opened and closed by the application.
        journal: Journal of the campaigns, opened and closed by the application.
        rate: Maximum rate of the client, if it has one.
        public_key: Public key for the chat in the public page.
        secret: Last segment of the callback URL, ``/hooks/<secret>``.
        closing: Event set before the server stops. It ends open event streams, for which the server waits.
    """
    campaigns, seen = Campaigns(client, journal, rate=rate), SeenEvents()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with client, journal, campaigns.running():  # a run ends before its client and its journal close
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
    """Reject requests from pages of other origins (CSRF). This is not authentication: add yours in front."""
    if sec_fetch_site not in {"none", "same-origin"}:
        raise HTTPException(403, "The request comes from a page of another origin.")
