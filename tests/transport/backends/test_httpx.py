"""The only module that talks httpx: the proof of what was sent, bounded answers, and connections over real sockets."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any
from unittest import mock

import anyio
import anyio.lowlevel
import attrs
import httpx
import httpx2
import pytest

from callsavvy_async import AuthenticationError, Callsavvy, RedirectError
from callsavvy_async.transport.backends.httpx import HttpxBackend
from callsavvy_async.transport.backends.httpx_borrowed import BorrowedTransport
from callsavvy_async.transport.backends.httpx_exchange import StreamedBody, exchange
from callsavvy_async.transport.backends.proof import BodyReadTwiceError
from callsavvy_async.transport.native import trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.request_template import RequestTemplate

pytestmark = pytest.mark.anyio

NUMBER = "+2348012345678"
REQUEST = HttpRequest(RequestTemplate.of("http://127.0.0.1:9/v1/sendSMS", ()), b"{}")
SUCCESS = b'{"status":"success"}'


# -------------------------------------------------------------------------------------------------------- the body


async def test_a_body_notes_that_it_was_asked_for() -> None:
    """Making an iterator asks for nothing; taking the first piece does."""
    body = StreamedBody(b"abc")
    iterator = aiter(body)
    assert aiter(iterator) is iterator
    assert not body.was_read
    assert [piece async for piece in iterator] == [b"abc"]
    assert body.was_read


async def test_a_body_is_given_out_once() -> None:
    """A second reader gets an error, not the bytes."""
    body = StreamedBody(b"abc")
    first, second = aiter(body), aiter(body)
    assert await anext(first) == b"abc"
    for again in (second, aiter(body)):
        with pytest.raises(BodyReadTwiceError):
            await anext(again)
    with pytest.raises(StopAsyncIteration):
        await anext(first)


FAILURES = [
    ("ConnectError", "refused", FailureKind.CONNECT),
    ("ConnectError", "[SSL: CERTIFICATE_VERIFY_FAILED]", FailureKind.CERTIFICATE),
    ("ProxyError", "407", FailureKind.CONNECT),
    ("ConnectTimeout", "late", FailureKind.TIMEOUT),
    ("PoolTimeout", "full", FailureKind.TIMEOUT),
    ("ReadTimeout", "late", FailureKind.TIMEOUT),
    ("InvalidURL", "odd", FailureKind.BAD_URL),
    ("UnsupportedProtocol", "gopher", FailureKind.BAD_URL),
    ("DecodingError", "odd", FailureKind.ENCODING),
    ("ReadError", "", FailureKind.CONNECTION_LOST),
    ("RemoteProtocolError", "odd", FailureKind.CONNECTION_LOST),
]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("asks", [True, False], ids=["asked", "not asked"])
async def test_failures(library: ModuleType, asks: bool) -> None:
    """The exception's name tells the stage only; whether anything was sent is told by the body alone."""
    rows = [(getattr(library, name)(words), kind) for name, words, kind in FAILURES]
    rows.append((ZeroDivisionError("a transport's own bug"), FailureKind.CONNECTION_LOST))
    for error, kind in rows:

        async def send(request: httpx.Request, error: Exception = error) -> httpx.Response:
            if asks:
                await request.aread()
            raise error

        with pytest.raises(ExchangeFailedError) as caught:
            await exchange(library, send, REQUEST, timeout=5, max_bytes=100)
        assert (caught.value.kind, caught.value.sent) == (kind, asks)
        assert caught.value.__cause__ is error
        assert type(error).__name__ in caught.value.detail


async def test_a_url_that_httpx_refuses() -> None:
    """A URL that cannot even be written as a request is NOT_SENT, not an error of httpx."""
    backend = BorrowedTransport(httpx.MockTransport(lambda _: httpx.Response(200)))
    template = attrs.evolve(REQUEST.template, url="http://a:b:c/v1")
    with pytest.raises(ExchangeFailedError) as caught:
        await backend.exchange(HttpRequest(template, b"{}"), timeout=1, max_bytes=1)
    assert (caught.value.kind, caught.value.sent) == (FailureKind.BAD_URL, False)


# ------------------------------------------------------------------------------------------------- borrowed backends


class Endless(httpx.AsyncByteStream):
    """A body without end, that must be closed."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.given += 1
            await anyio.lowlevel.checkpoint()
            yield bytes(1000)

    async def aclose(self) -> None:
        self.closed = True


class Answering(httpx.AsyncBaseTransport):
    """A transport of a user's own."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async for _ in request.stream:
            pass
        return self.response

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("as_client", [True, False], ids=["client", "transport"])
async def test_a_users_own(as_client: bool) -> None:
    """An AsyncClient or a transport of the user's is used as it is, and stays open."""
    transport = Answering(httpx.Response(200, stream=httpx.ByteStream(SUCCESS)))
    own = httpx.AsyncClient(transport=transport, follow_redirects=True) if as_client else transport
    options: dict[str, Any] = {"http_client": own} if as_client else {"transport": own}
    async with Callsavvy(public_key="p", private_key="q", **options) as client:
        await client.account.summary()
        assert "a borrowed" in repr(client)
    assert not transport.closed
    if isinstance(own, httpx.AsyncClient):
        assert not own.is_closed
        await own.aclose()


async def test_a_users_client_follows_no_redirect() -> None:
    """Not even a client that follows redirects takes the keys elsewhere."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler), follow_redirects=True) as own:
        client = Callsavvy(public_key="p", private_key="q", http_client=own)
        with pytest.raises(RedirectError, match=r"elsewhere\.example"):
            await client.messaging.send_sms(NUMBER, "Hi")
    assert seen == ["api.getcallsavvy.com"]


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
async def test_what_a_users_client_carries_is_sent(library: ModuleType) -> None:
    """Its headers, cookies, query parameters and auth; where both name a header, it is ours that is sent."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return library.Response(200, content=SUCCESS)

    async with library.AsyncClient(
        headers={"X-Gateway-Key": "abc", "Public-Key": "theirs", "Accept": "text/html"},
        cookies={"route": "7"},
        params={"region": "ng"},
        auth=("user", "secret"),
        transport=library.MockTransport(handler),
    ) as own:
        await Callsavvy(public_key="p", private_key="q", http_client=own).account.summary()
    (request,) = seen
    assert request.url.query == b"region=ng"
    wanted = {"x-gateway-key": "abc", "cookie": "route=7", "public-key": "p", "accept": "application/json"}
    assert {name: request.headers.get_list(name) for name in wanted} == {name: [one] for name, one in wanted.items()}
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("method", ["post", "request", "send"])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
async def test_a_method_that_a_user_replaced_on_a_client(library: ModuleType, method: str) -> None:
    """It gets the request: nothing passes it by on the way to a server."""
    own = library.AsyncClient(transport=library.MockTransport(lambda _: pytest.fail("really sent")))
    replaced = mock.AsyncMock(return_value=library.Response(200, content=SUCCESS))
    setattr(own, method, replaced)
    async with own:
        await Callsavvy(public_key="p", private_key="q", http_client=own).account.summary()
    replaced.assert_awaited_once()


async def test_a_client_of_a_class_of_ones_own() -> None:
    """Its own way to post is for its own code: responses with an error's status come back whole, not as exceptions."""

    class Strict(httpx.AsyncClient):
        async def request(self, *arguments: Any, **options: Any) -> httpx.Response:
            return (await super().request(*arguments, **options)).raise_for_status()

    answer = httpx.MockTransport(lambda _: httpx.Response(401, json={"status": "error"}))
    async with Strict(transport=answer) as own:
        with pytest.raises(AuthenticationError):
            await Callsavvy(public_key="p", private_key="q", http_client=own).messaging.send_sms(NUMBER, "Hi")


async def test_no_more_than_max_bytes_is_read() -> None:
    """An endless answer is cut off and its stream closed."""
    stream = Endless()
    backend = BorrowedTransport(Answering(httpx.Response(200, stream=stream)))
    with pytest.raises(ExchangeFailedError) as caught:
        await backend.exchange(REQUEST, timeout=5, max_bytes=5_000)
    assert (caught.value.kind, caught.value.sent) == (FailureKind.TOO_LARGE, True)
    assert stream.given <= 8
    assert stream.closed


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ({"content-encoding": "gzip"}, gzip.compress(SUCCESS), None),
        ({"content-encoding": "gzip"}, gzip.compress(bytes(10**6)), FailureKind.TOO_LARGE),
        ({"content-encoding": "gzip"}, gzip.compress(SUCCESS)[:-6], FailureKind.ENCODING),
        ({"content-encoding": "gzip"}, b"no gzip at all", FailureKind.ENCODING),
        ({"content-encoding": "br"}, b"what is this", FailureKind.ENCODING),
        ({}, SUCCESS, None),
    ],
    ids=["gzip", "bomb", "cut", "garbage", "not offered", "plain"],
)
async def test_encodings(headers: dict[str, str], body: bytes, kind: FailureKind | None) -> None:
    """Answers are decoded in bounded memory; a broken encoding is told as such."""
    transport = Answering(httpx.Response(200, headers=headers, stream=httpx.ByteStream(body)))
    backend = BorrowedTransport(transport)
    if kind is None:
        assert (await backend.exchange(REQUEST, timeout=5, max_bytes=1000)).body == SUCCESS
        return
    with pytest.raises(ExchangeFailedError) as caught:
        await backend.exchange(REQUEST, timeout=5, max_bytes=1000)
    assert caught.value.kind is kind


async def test_repeated_headers_are_joined() -> None:
    """Names are lower case, values of one name joined as RFC 9110 has it (5.3)."""
    transport = Answering(httpx.Response(200, headers=[("X-A", "1"), ("x-a", "2")], stream=httpx.ByteStream(b"")))
    response = await BorrowedTransport(transport).exchange(REQUEST, timeout=5, max_bytes=10)
    assert response.headers["x-a"] == "1, 2"


async def test_a_borrowed_backend_has_nothing_to_close() -> None:
    """What was borrowed is closed by its owner."""
    backend = BorrowedTransport(Answering(httpx.Response(200)))
    await backend.aclose()
    assert not backend.is_open


async def test_the_ssl_context_is_built_once_and_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading certificates would block the event loop; it is done once, in a thread, and only for https."""
    threads: list[int] = []
    build = trust._trust_by_default

    def create() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return build()

    monkeypatch.setattr(trust, "_trust_by_default", create)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for scheme, built in (("http", 0), ("https", 1)):
        backend = HttpxBackend()
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(_fail_to_connect, backend, f"{scheme}://127.0.0.1:{port}/v1/x")
        await backend.aclose()
        assert "0 open" in repr(backend)
        assert len(set(threads)) == len(threads) == built
    assert threads[0] != threading.get_ident()


async def _fail_to_connect(backend: HttpxBackend, url: str) -> None:
    with pytest.raises(ExchangeFailedError):
        await backend.exchange(HttpRequest(RequestTemplate.of(url, ()), b"{}"), timeout=5, max_bytes=10)
