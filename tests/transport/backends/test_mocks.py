"""A test that mocks the API must never really send, whatever mocks it and whenever the client was made.

The server is the witness: what it never saw was not sent.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import aiohttp
import aioresponses
import httpcore
import httpx
import httpx2
import pytest
import pytest_socket
import respx
import vcr
import wrapt
from pytest_httpx import HTTPXMock

from callsavvy_async import BASE_URL, Callsavvy, NotSentError, OutcomeUnknownError, RequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer
from callsavvy_async.transport.backends.mocks import LIBRARIES, find_patch
from tests.profiles import mostly_long

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

NUMBER = "+2348012345678"
SENT = {"status": "success", "data": {"status": "sent"}}


def client_of(server: SimulatorServer, **options: Any) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, **options)


async def send(client: Callsavvy) -> None:
    async with client:
        assert (await client.messaging.send_sms(NUMBER, "Hi")).status == "sent"


@pytest.fixture(params=mostly_long(["asyncio", "trio"]))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run on asyncio, and in the long suite on trio: a mock is found in the same way."""
    return request.param


@pytest.fixture(params=["auto", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """Take the backends that mocks of httpx reach."""
    return request.param


# ------------------------------------------------------------------------------------------------------------- respx


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
@pytest.mark.parametrize("made", mostly_long(["before", "inside", "used before"]))
async def test_respx(made: str, using: str, backend: str, server: SimulatorServer, sim: Simulator) -> None:
    """Both of respx's ways to mock reach clients made before and after it started; the call after it is real."""
    client = client_of(server, backend=backend)
    if made == "used before":
        await client.account.summary()
    seen = len(sim.requests)
    with respx.mock(using=using) as router:
        route = router.post(f"{server.url}/sendSMS").respond(json=SENT)
        if made == "inside":
            client = client_of(server, backend=backend)
        async with client:
            await client.messaging.send_sms(NUMBER, "Hi")
        assert route.call_count == 1
        assert len(sim.requests) == seen
    assert server.connections == (made == "used before")
    await send(client)
    assert len(sim.requests) == seen + 1


@respx.mock
async def test_respx_as_a_decorator(server: SimulatorServer, backend: str) -> None:
    """The decorator, and a client made inside."""
    route = respx.post(f"{server.url}/sendSMS").respond(json=SENT)
    await send(client_of(server, backend=backend))
    assert route.call_count == 1
    assert server.connections == 0


async def test_respx_as_a_fixture(respx_mock: respx.MockRouter, backend: str) -> None:
    """The fixture, and the real API's address."""
    route = respx_mock.post(f"{BASE_URL}/sendSMS").respond(json=SENT)
    await send(Callsavvy(public_key="p", private_key="q", backend=backend, verify=False))
    assert route.call_count == 1


async def test_what_respx_does_not_expect_is_not_sent(server: SimulatorServer, backend: str) -> None:
    """A call without a route fails, and goes nowhere."""
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{server.url}/getSummary")
        async with client_of(server, backend=backend, max_retries=0) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.messaging.send_sms(NUMBER, "Hi")
    assert server.connections == 0


# ------------------------------------------------------------------------------------------------------ pytest-httpx


@pytest.mark.parametrize("made", ["before", "inside"])
async def test_pytest_httpx(made: str, backend: str, server: SimulatorServer, request: pytest.FixtureRequest) -> None:
    """Its fixture reaches clients made before and after it."""
    client = client_of(server, backend=backend)
    httpx_mock: HTTPXMock = request.getfixturevalue("httpx_mock")
    if made == "inside":
        client = client_of(server, backend=backend)
    httpx_mock.add_response(url=f"{server.url}/sendSMS", json=SENT)
    await send(client)
    assert server.connections == 0
    assert "AsyncHTTPTransport.handle_async_request is patched" in repr(client_of(server))


# ------------------------------------------------------------------------------------------------------------ others


async def test_a_cassette_of_vcrpy(server: SimulatorServer, sim: Simulator, backend: str, tmp_path: Path) -> None:
    """What vcrpy recorded it plays, and nothing is sent again."""
    client = client_of(server, backend=backend)
    for mode in ("once", "none"):
        with vcr.use_cassette(str(tmp_path / "cassette.yaml"), record_mode=mode):  # type: ignore[no-untyped-call]
            await send(client)
    assert len(sim.requests) == 1


async def test_sockets_that_are_forbidden(server: SimulatorServer) -> None:
    """Where pytest-socket forbids sockets a call is NOT_SENT, through every backend."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    try:
        async with client_of(server, max_retries=0) as client:
            with pytest.raises(NotSentError):
                await client.messaging.send_sms(NUMBER, "Hi")
    finally:
        pytest_socket.enable_socket()
    assert server.connections == 0


# --------------------------------------------------------------------------------------------------------- detection


Answer = Callable[..., Any]


def answering(library: ModuleType) -> Answer:
    """Make what answers in the place of a method; each library wants a response of its own."""

    async def answer(*_: object, **__: object) -> Any:
        return library.Response(200, json=SENT)

    return answer


PATCHES: dict[str, Callable[[Any, Answer], Any]] = {
    "function": lambda _, answer: answer,
    "wraps": lambda original, answer: functools.wraps(original)(answer),  # as instrumentation and vcrpy do
    "mock": lambda _, answer: mock.AsyncMock(side_effect=answer),
    "autospec": lambda original, answer: mock.create_autospec(original, side_effect=answer),
    "wrapt": lambda original, answer: wrapt.FunctionWrapper(original, lambda *_: answer()),  # as tracers do
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (httpx.AsyncClient, "post"),
        (httpx.AsyncClient, "request"),
        (httpx.AsyncClient, "send"),
        (httpx.AsyncClient, "_send_single_request"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
        (httpx2.AsyncClient, "post"),
        (httpx2.AsyncClient, "send"),
        (httpx2.AsyncHTTPTransport, "handle_async_request"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.__module__}.{value.__name__}",
)
async def test_whatever_is_patched_by_hand(
    owner: type,
    method: str,
    patch: Callable[[Any, Answer], Any],
    server: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A method that somebody replaced, in whatever way, gets the request instead of the server."""
    client = client_of(server)
    answer = answering(sys.modules[owner.__module__])
    monkeypatch.setattr(owner, method, patch(getattr(owner, method), answer))
    assert str(find_patch()) == f"{owner.__module__}.{owner.__name__}.{method}"
    await send(client)
    assert server.connections == 0


@pytest.mark.parametrize("owner", [httpcore.AsyncConnectionPool, httpcore.AsyncHTTPConnection])
def test_httpcore_is_watched_too(owner: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch below httpx counts."""
    monkeypatch.setattr(owner, "handle_async_request", answering(httpx))
    assert str(find_patch()) == f"httpcore.{owner.__name__}.handle_async_request"


@pytest.mark.parametrize("library", LIBRARIES)
def test_nothing_is_patched_by_itself(library: str) -> None:
    """Each library as it is installed is its own."""
    assert library in sys.modules
    assert find_patch((library,)) is None


class Fake:
    """A client as people write it by hand."""

    def __init__(self, **_: object) -> None:
        self.closed = False

    async def post(self, *_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, json=SENT)


@pytest.mark.parametrize("name", ["httpx.AsyncClient", "httpx2.AsyncClient"])
async def test_a_class_that_is_replaced(name: str, server: SimulatorServer) -> None:
    """The class that took its place posts the request, also where the client had connections."""
    client = client_of(server)
    with mock.patch(name, Fake):
        await send(client)
    assert server.connections == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("backend", ["auto", "aiohttp"])
@pytest.mark.parametrize("method", ["post", "request", "_request"])
async def test_aiohttp_that_is_patched(
    method: str, backend: Any, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """Who patched aiohttp gets the request: from its own backend, and from the default."""
    patched = mock.AsyncMock(side_effect=aiohttp.ClientConnectionError("a mock's own"))
    monkeypatch.setattr(aiohttp.ClientSession, method, patched)
    async with client_of(server, backend=backend, max_retries=0) as client:
        with pytest.raises(RequestError):
            await client.messaging.send_sms(NUMBER, "Hi")
    patched.assert_awaited_once()
    assert server.connections == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("backend", ["auto", "aiohttp"])
async def test_aioresponses(backend: Any, server: SimulatorServer, anyio_backend: str) -> None:
    """What aioresponses expects it gets; it raises here, since its responses lag behind releases of aiohttp."""
    with aioresponses.aioresponses() as expected:
        expected.post(f"{server.url}/sendSMS", exception=aiohttp.ClientConnectionError("expected"))
        async with client_of(server, backend=backend, max_retries=0) as client:
            with pytest.raises(RequestError, match="expected"):
                await client.messaging.send_sms(NUMBER, "Hi")
    assert server.connections == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_mock_goes_before_a_tracer(
    server: SimulatorServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """A tracer of one library sends what it sees, so the request goes to the mock of another."""
    original = httpx.AsyncClient.send
    monkeypatch.setattr(httpx.AsyncClient, "send", wrapt.FunctionWrapper(original, lambda it, _, a, k: it(*a, **k)))
    monkeypatch.setattr(httpx2.AsyncClient, "send", mock.AsyncMock(return_value=httpx2.Response(200, json=SENT)))
    await send(client_of(server))
    assert server.connections == 0


@pytest.mark.long
def test_httpx2_under_the_name_of_httpx(server: SimulatorServer) -> None:
    """`alias_httpx` patches nothing: native connections go on, and httpx2 serves where they cannot."""
    program = f"""
import asyncio, httpx2, trio
httpx2.alias_httpx()
import httpx
from callsavvy_async import Callsavvy

async def main(**options):
    async with Callsavvy(public_key={PUBLIC_KEY!r}, private_key={PRIVATE_KEY!r}, base_url={server.url!r}, **options) as client:
        await client.account.summary()
        print(repr(client).split()[3])

async def borrowing():
    await main(http_client=httpx.AsyncClient())

asyncio.run(main())
trio.run(main)
asyncio.run(borrowing())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["native", "httpx2", "a"], done.stderr


def test_lanes_do_not_import_httpx(server: SimulatorServer) -> None:
    """Neither making a client nor calling with it imports httpx, aiohttp or trio: each costs more than the SDK."""
    program = f"""
import asyncio, sys
from callsavvy_async import Callsavvy

async def main():
    async with Callsavvy(public_key={PUBLIC_KEY!r}, private_key={PRIVATE_KEY!r}, base_url={server.url!r}) as client:
        await client.account.summary()
        assert "native" in repr(client), repr(client)

asyncio.run(main())
print(*{{"httpx", "httpcore", "aiohttp", "trio"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
