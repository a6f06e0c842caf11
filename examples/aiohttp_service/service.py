"""An aiohttp application with one client: single messages, a campaign in the background, and Callsavvy's events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from callsavvy_async import Callsavvy, InvalidRequestError, NotSentError, OutcomeUnknownError, RequestError
from callsavvy_async.bulk.run import BulkRun
from callsavvy_async.integrations.aiohttp import aiohttp_lifespan, aiohttp_routes
from callsavvy_async.webhooks import CallSummary, Webhooks

log = logging.getLogger("service")


class Service:
    """The handlers and their shared state.

    Args:
        client: Client, opened and closed by the application.
        hooks: Webhooks that receive Callsavvy's events.
    """

    def __init__(self, client: Callsavvy, hooks: Webhooks) -> None:
        self._client = client
        self._run: BulkRun | None = None
        self._task: asyncio.Task[None] | None = None
        self._calls = Counter[str]()
        hooks.on(CallSummary)(self.count_call)

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        """Keep the client open. At the end stop the campaign, and wait for its requests in flight."""
        async with self._client:
            yield
            if self._run is not None and self._task is not None:
                self._run.stop()
                await self._task

    async def count_call(self, event: CallSummary) -> None:
        """Count a call that ended."""
        self._calls[str(event.direction)] += 1

    async def send_sms(self, request: web.Request) -> web.Response:
        """Send one SMS. 202 means that it may have been sent. Only a 503 may be retried."""
        sms = await request.json()
        try:
            receipt = await self._client.messaging.send_sms(sms["recipient"], sms["message"])
        except InvalidRequestError as error:
            return web.json_response({"outcome": "not_sent", "detail": str(error)}, status=422)
        except RequestError as error:
            status = 202 if isinstance(error, OutcomeUnknownError) else 503 if isinstance(error, NotSentError) else 409
            return web.json_response({"outcome": error.outcome.value, "detail": str(error)}, status=status)
        if receipt.failed:
            return web.json_response({"outcome": "failed", "message_id": receipt.message_id}, status=202)
        return web.json_response({"outcome": "accepted", "message_id": receipt.message_id})

    async def start_campaign(self, request: web.Request) -> web.Response:
        """Start to send a message to a JSON list of recipients."""
        campaign = await request.json()
        if self._task is not None and not self._task.done():
            return web.json_response({"detail": "A campaign is running: wait for it, or stop it."}, status=409)
        try:
            self._run = self._client.bulk.sms(campaign["recipients"], campaign["message"], chunk_size=20)
        except InvalidRequestError as error:
            return web.json_response({"detail": str(error)}, status=422)
        self._task = asyncio.create_task(self._send(self._run), name="campaign")
        return web.Response(status=202)

    async def stop_campaign(self, _: web.Request) -> web.Response:
        """Stop the campaign. Requests in flight still end."""
        if self._run is not None:
            self._run.stop()
        return web.Response(status=202)

    async def progress(self, _: web.Request) -> web.Response:
        """Return the campaign's progress, and the number of ended calls."""
        report = None if self._run is None else self._run.report.as_dict()
        running = self._task is not None and not self._task.done()
        return web.json_response({"running": running, "report": report, "calls": self._calls})

    @staticmethod
    async def _send(run: BulkRun) -> None:
        try:
            await run
        except Exception as error:  # noqa: BLE001 - the application must survive a failed campaign
            log.error("campaign failed with %s", type(error).__name__)  # noqa: TRY400 - texts may hold personal data
        finally:
            log.info("campaign ended: %s", json.dumps(run.report.as_dict()))


@web.middleware
async def refuse_foreign_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject requests from pages of other origins (CSRF). This is not authentication: add yours in front."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise web.HTTPForbidden(text="The request comes from a page of another origin.")
    return await handler(request)


def create_app(client: Callsavvy, hooks: Webhooks) -> web.Application:
    """Make the application."""
    service = Service(client, hooks)
    app = web.Application(middlewares=[refuse_foreign_pages])
    app.cleanup_ctx.extend([service.lifespan, aiohttp_lifespan(hooks)])
    app.add_routes(aiohttp_routes(hooks))
    app.add_routes(
        [
            web.post("/sms", service.send_sms),
            web.post("/campaign", service.start_campaign),
            web.get("/campaign", service.progress),
            web.post("/campaign/stop", service.stop_campaign),
        ]
    )
    return app
