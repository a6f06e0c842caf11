"""HTTP clients, used for one POST with JSON as in their documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.speed.answers import NUMBER, TEXT
from benchmarks.speed.target import Call, Target

HEADERS = {"public-key": "public", "private-key": "private"}
BODY = {"recipient": NUMBER, "message": TEXT}


@asynccontextmanager
async def httpx(target: Target) -> AsyncIterator[Call]:
    """Post with httpx."""
    import httpx as library  # noqa: PLC0415 - one contestant in a process

    async with _posting(library, target) as call:
        yield call


@asynccontextmanager
async def httpx2(target: Target) -> AsyncIterator[Call]:
    """Post with httpx2, which has the interface of httpx."""
    import httpx2 as library  # noqa: PLC0415

    async with _posting(library, target) as call:
        yield call


@asynccontextmanager
async def _posting(library: Any, target: Target) -> AsyncIterator[Call]:
    url = f"{target.url}/v1/sendSMS"
    verify = target.context() if target.secure else True
    async with library.AsyncClient(headers=HEADERS, verify=verify, timeout=30.0) as client:

        async def call() -> None:
            response = await client.post(url, json=BODY)
            response.raise_for_status()
            response.json()

        yield call


@asynccontextmanager
async def aiohttp(target: Target) -> AsyncIterator[Call]:
    """Post with aiohttp."""
    import aiohttp as library  # noqa: PLC0415

    url = f"{target.url}/v1/sendSMS"
    connector = library.TCPConnector(ssl=target.context() if target.secure else True)
    async with library.ClientSession(headers=HEADERS, connector=connector) as session:

        async def call() -> None:
            async with session.post(url, json=BODY) as response:
                response.raise_for_status()
                await response.json()

        yield call


@asynccontextmanager
async def pyreqwest(target: Target) -> AsyncIterator[Call]:
    """Post with pyreqwest, which is written in Rust."""
    from pyreqwest.client import ClientBuilder  # noqa: PLC0415

    url = f"{target.url}/v1/sendSMS"
    builder = ClientBuilder().default_headers(HEADERS).error_for_status(True)
    if target.secure:
        builder = builder.add_root_certificate_pem(Path(target.certificates).read_bytes())  # noqa: ASYNC240
    async with builder.build() as client:

        async def call() -> None:
            response = await client.post(url).body_json(BODY).build().send()
            await response.json()

        yield call
