"""The simulator behind both its doors, for httpx as the client: never for the SDK, whose witness it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from datetime import datetime

import anyio
import httpx
import pytest

from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer, serve
from tests.profiles import mostly_long

KEYS = {"Public-Key": PUBLIC_KEY, "Private-Key": PRIVATE_KEY}

TLS = httpx.create_ssl_context()
"""Made once: httpx loads all certificates for every client, and none is ever used here."""

Call = Callable[..., Awaitable[httpx.Response]]


class FakeClock:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sim(clock: FakeClock) -> Simulator:
    return Simulator(now=lambda: datetime(2024, 3, 13, 15, 0, 48), clock=clock, sleep=anyio.sleep)  # noqa: DTZ001


@pytest.fixture(params=mostly_long(["asyncio", "trio"]))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run every async test on asyncio, and in the long suite on trio: the world behind the doors knows no event loop."""
    return request.param


@pytest.fixture(params=mostly_long(["in process", "sockets"]))
async def client(request: pytest.FixtureRequest, sim: Simulator) -> AsyncGenerator[httpx.AsyncClient]:
    """Speak to `sim` in process, and in the long suite over sockets, as the quick tests of the transport do."""
    if request.param == "in process":
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=sim), base_url=sim.base_url, headers=KEYS
        ) as client:
            yield client
    else:
        with serve(sim) as server:
            async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=5, verify=TLS) as client:
                yield client


@pytest.fixture
def call(client: httpx.AsyncClient) -> Call:
    """Return `call(resource, **params)`, which posts the parameters as JSON."""

    async def call(resource: str, **params: object) -> httpx.Response:
        return await client.post(resource, json=params)

    return call


@pytest.fixture
def server(sim: Simulator) -> Generator[SimulatorServer]:
    with serve(sim) as server:
        yield server


@pytest.fixture
def wire(server: SimulatorServer) -> Generator[httpx.Client]:
    """Speak to `sim` over sockets, without a loop."""
    with httpx.Client(base_url=server.url, headers=KEYS, timeout=5, verify=TLS) as wire:
        yield wire
