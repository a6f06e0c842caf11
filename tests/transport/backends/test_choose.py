"""Which backend a client gets, and how it says so."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import aiohttp
import httpx
import httpx2
import pytest

from callsavvy_async import Callsavvy, ConfigurationError, Effect, Outcome
from callsavvy_async.hooks import RequestSettled
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer
from callsavvy_async.transport.backends.aiohttp import AiohttpBackend, BorrowedSession
from callsavvy_async.transport.backends.auto import AutoBackend
from callsavvy_async.transport.backends.choose import choose_backend
from callsavvy_async.transport.backends.httpx import HttpxBackend
from callsavvy_async.transport.backends.httpx_borrowed import BorrowedClient, BorrowedTransport
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

pytestmark = pytest.mark.anyio

NUMBER = "+2348012345678"
MOCK = httpx.MockTransport(lambda _: httpx.Response(200, json={"status": "success"}))
MOCK2 = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"status": "success"}))
SESSION: Any = mock.create_autospec(aiohttp.ClientSession, instance=True)


class Own:
    """A backend of a user's own."""

    is_open = False

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        return HttpResponse(200, Headers([]), b'{"status": "success", "data": {"status": "sent"}}')

    async def aclose(self) -> None:
        """Nothing is open."""


def client(**options: Any) -> Callsavvy:
    return Callsavvy(public_key="p", private_key="q", **options)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({}, AutoBackend, "native (0 open"),
        ({"verify": False}, AutoBackend, "native (0 open"),
        ({"proxy": "http://proxy.example"}, AutoBackend, "httpx (0 open), for the proxy"),
        ({"backend": "native"}, NativeBackend, "native (0 open"),
        ({"backend": "httpx"}, HttpxBackend, "httpx (0 open)"),
        ({"backend": "httpx", "proxy": "http://proxy.example"}, HttpxBackend, "httpx (0 open)"),
        ({"backend": "aiohttp"}, AiohttpBackend, "aiohttp (0 open)"),
        ({"backend": "aiohttp", "proxy": "http://proxy.example", "verify": False}, AiohttpBackend, "aiohttp (0 open)"),
        ({"backend": "httpx2"}, HttpxBackend, "httpx2 (0 open)"),
        ({"http_client": httpx.AsyncClient()}, BorrowedClient, "a borrowed httpx.AsyncClient"),
        ({"http_client": httpx2.AsyncClient()}, BorrowedClient, "a borrowed httpx2.AsyncClient"),
        ({"transport": MOCK}, BorrowedTransport, "a borrowed httpx.MockTransport"),
        ({"transport": MOCK2}, BorrowedTransport, "a borrowed httpx2.MockTransport"),
        ({"transport": MOCK, "backend": "httpx"}, BorrowedTransport, "a borrowed httpx.MockTransport"),
        ({"session": SESSION}, BorrowedSession, "a borrowed aiohttp"),
        ({"session": SESSION, "backend": "aiohttp"}, BorrowedSession, "a borrowed aiohttp"),
        ({"backend": Own()}, Own, "Own object"),
    ],
)
def test_what_is_chosen(options: dict[str, Any], kind: type, words: str) -> None:
    """What a client is told decides, and its repr says what it took and why."""
    made = client(**options)
    assert type(made._transport.shared.backend) is kind
    assert words in repr(made)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"http_client": httpx.AsyncClient(), "transport": MOCK}, "http_client= and transport="),
        ({"session": SESSION, "transport": MOCK}, "transport= and session="),
        ({"backend": Own(), "transport": MOCK}, "backend= and transport="),
        ({"transport": MOCK, "verify": False}, "pass one of them alone"),
        ({"transport": MOCK, "proxy": "http://proxy.example"}, "pass one of them alone"),
        ({"session": SESSION, "proxy": "http://proxy.example"}, "pass one of them alone"),
        ({"backend": Own(), "verify": False}, "pass one of them alone"),
        ({"backend": "native", "transport": MOCK}, "backend='native' cannot use them"),
        ({"backend": "aiohttp", "http_client": httpx.AsyncClient()}, "backend='aiohttp' cannot use them"),
        ({"backend": "httpx", "session": SESSION}, "backend='httpx' cannot use it"),
        ({"backend": "native", "proxy": "http://proxy.example"}, "pass backend='httpx'"),
        ({"backend": "requests"}, "'requests'; it must be one of auto, native, httpx, httpx2, aiohttp"),
    ],
)
def test_settings_that_contradict_each_other(options: dict[str, Any], words: str) -> None:
    """A client that could not work as told is not made, and the error says what to give instead."""
    with pytest.raises(ConfigurationError, match=words):
        client(**options)


def test_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where httptools is missing httpx serves; who asks for native connections by name is told what to install."""
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert "httpx (0 open), since httptools is not installed" in repr(client())
    with pytest.raises(ConfigurationError, match="pip install 'httptools'"):
        client(backend="native")


def test_without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aiohttp is an extra."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'callsavvy-async\[aiohttp\]'"):
        client(backend="aiohttp")


async def test_a_backend_of_ones_own() -> None:
    """Anything with the three members of `Backend` carries requests."""
    async with client(backend=Own()) as made:
        assert (await made.messaging.send_sms(NUMBER, "Hi")).status == "sent"


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize("backend", ["native", "aiohttp"])
async def test_asyncio_only(backend: Any, server: SimulatorServer, sim: Simulator, anyio_backend: str) -> None:
    """On trio the native backend and aiohttp say before anything is sent that they cannot run, in single calls and in bulk."""
    events: list[object] = []
    async with Callsavvy(
        public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, backend=backend, hooks=[events.append]
    ) as made:
        with pytest.raises(ConfigurationError, match=f"backend='{backend}' runs on asyncio only"):
            await made.request("sendSMS", effect=Effect.SPEND)
        with pytest.raises(ConfigurationError):
            await made.bulk.sms([NUMBER], "Hi")
    assert not sim.requests
    assert not server.connections
    settled = [event for event in events if isinstance(event, RequestSettled)]
    assert {event.outcome for event in settled} == {Outcome.NOT_SENT}


async def test_auto_by_event_loop(client: Callsavvy, anyio_backend: str) -> None:
    """One client runs over native connections on asyncio and over httpx on trio, and says so."""
    await client.account.summary()
    words = (
        "native (1 open, 1 idle)"
        if anyio_backend == "asyncio"
        else "httpx (1 open), since native connections need asyncio"
    )
    assert words in repr(client)


async def test_auto_closes_both() -> None:
    """Closing closes what either opened, also when the first fails to."""
    closed: list[str] = []

    class Closing(Own):
        def __init__(self, name: str) -> None:
            self.name = name
            self.is_open = True

        async def aclose(self) -> None:
            closed.append(self.name)
            if self.name == "native":
                raise ZeroDivisionError

    auto = AutoBackend(Closing("native"), Closing)
    auto._other("httpx")
    assert auto.is_open
    with pytest.raises(ZeroDivisionError):
        await auto.aclose()
    assert closed == ["native", "httpx"]


def test_choosing_is_a_function() -> None:
    """It is made without a client too."""
    assert isinstance(choose_backend(), AutoBackend)
