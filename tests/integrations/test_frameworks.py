"""What each framework's adapter does beside answering: its path, its documents, its lifespan, its imports."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.integrations.aiohttp import aiohttp_lifespan, aiohttp_routes
from callsavvy_async.integrations.fastapi import fastapi_router
from callsavvy_async.webhooks import CallSummary, Webhooks

pytestmark = pytest.mark.anyio
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])  # aiohttp knows nothing else

SECRET = "a-secret-of-a-fair-length"
BODY = b'{"event": "callSummary"}'


@pytest.fixture
def hooks() -> Webhooks:
    """Make webhooks with one secret."""
    return Webhooks(secrets=[SECRET])


async def test_fastapi_prefix_and_documents(hooks: Webhooks) -> None:
    """The routes stand below their prefix, leave other routes alone, and are in no OpenAPI document."""
    app = FastAPI()
    app.include_router(fastapi_router(hooks, prefix="/in"), prefix="/api")

    @app.get("/health")
    async def health() -> str:
        return "well"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver.example") as client:
        assert (await client.post(f"/api/in/{SECRET}", content=BODY)).status_code == 200
        assert (await client.get("/health")).json() == "well"
        assert list((await client.get("/openapi.json")).json()["paths"]) == ["/health"]


async def test_fastapi_lifespans_are_joined(hooks: Webhooks) -> None:
    """Including the router is enough: the application's lifespan runs the webhooks beside its own."""
    app = FastAPI()
    app.include_router(fastapi_router(hooks))
    async with app.router.lifespan_context(app):
        with pytest.raises(ConfigurationError, match="already running"):
            await hooks.__aenter__()


@pytest.mark.sockets
@on_asyncio
async def test_aiohttp_prefix(hooks: Webhooks) -> None:
    """The routes stand below their prefix."""
    app = web.Application()
    app.add_routes(aiohttp_routes(hooks, prefix="/in"))
    async with TestServer(app) as server, httpx.AsyncClient(base_url=str(server.make_url(""))) as client:
        assert (await client.post(f"/in/{SECRET}", content=BODY)).status_code == 200


@on_asyncio
async def test_aiohttp_may_clean_up_in_another_task(hooks: Webhooks) -> None:
    """Startup and cleanup may run in different tasks, as aiohttp's own runner has them under test frameworks."""
    seen: list[CallSummary] = []

    @hooks.on(CallSummary)
    async def keep(event: CallSummary) -> None:
        await asyncio.sleep(0.02)
        seen.append(event)

    app = web.Application()
    app.cleanup_ctx.append(aiohttp_lifespan(hooks))
    runner = web.AppRunner(app)
    await asyncio.create_task(runner.setup())
    await hooks.handle(token=SECRET, body=BODY)
    assert not seen
    await asyncio.create_task(runner.cleanup())
    assert len(seen) == 1


@on_asyncio
async def test_aiohttp_start_fails_loudly(hooks: Webhooks) -> None:
    """When the webhooks cannot start, the application does not either."""
    app = web.Application()
    app.cleanup_ctx.append(aiohttp_lifespan(hooks))
    async with hooks:
        with pytest.raises(ConfigurationError, match="already running"):
            await web.AppRunner(app).setup()


@pytest.mark.sockets
@on_asyncio
async def test_aiohttp_vanished_client_is_no_error(hooks: Webhooks, caplog: pytest.LogCaptureFixture) -> None:
    """A client that closes amid its body leaves no error in the log and no event with a handler."""
    app = web.Application()
    app.add_routes(aiohttp_routes(hooks))
    async with TestServer(app) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(f"POST /hooks/{SECRET} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n".encode() + BODY)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "WARNING"}]


@pytest.mark.parametrize("module", ["callsavvy_async", "callsavvy_async.webhooks", "callsavvy_async.integrations"])
def test_no_framework_is_imported_unasked(module: str) -> None:
    """Neither the package nor the webhooks import a framework, or httpx."""
    code = f"import sys, {module}; print({{'fastapi', 'starlette', 'aiohttp', 'httpx'}} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.strip() == "set()"
