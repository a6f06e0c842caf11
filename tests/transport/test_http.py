"""The only module that talks httpx: the proof of what was sent, bounded answers, and connections over real sockets."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
import respx
import trio
from pytest_httpx import HTTPXMock

from callsavvy_async import BASE_URL, AnswerTooLargeError, Callsavvy, ConnectError, DecodeError, OutcomeUnknown
from callsavvy_async.errors import AttemptTimeoutError, ConfigurationError, NotSentError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.http import BorrowedBackend, LanesBackend, OnceBody, exchange
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest

pytestmark = pytest.mark.anyio

NUMBER = "+2348012345678"
REQUEST = HttpRequest("http://127.0.0.1:9/v1/sendSMS", (), b"{}")
SUCCESS = b'{"status":"success"}'


def client_of(server: SimulatorServer, **options: Any) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, **options)


@contextmanager
def listener(answer: Callable[[socket.socket], None] | None) -> Iterator[int]:
    """Listen on a loopback port and treat one connection in a thread; with None nobody ever accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = None
        if answer is not None:

            def serve_one() -> None:
                connection, _ = listening.accept()
                with connection:
                    answer(connection)

            thread = threading.Thread(target=serve_one, daemon=True)
            thread.start()
        yield listening.getsockname()[1]
        if thread is not None:
            thread.join(5)


# -------------------------------------------------------------------------------------------------------- the body


async def test_a_body_notes_that_it_was_asked_for() -> None:
    """Making an iterator asks for nothing; taking the first piece does."""
    body = OnceBody(b"abc")
    iterator = aiter(body)
    assert aiter(iterator) is iterator
    assert not body.asked
    assert [piece async for piece in iterator] == [b"abc"]
    assert body.asked


async def test_a_body_is_given_out_once() -> None:
    """A second reader gets an error, not the bytes."""
    body = OnceBody(b"abc")
    first, second = aiter(body), aiter(body)
    assert await anext(first) == b"abc"
    for again in (second, aiter(body)):
        with pytest.raises(httpx.StreamConsumed):
            await anext(again)
    with pytest.raises(StopAsyncIteration):
        await anext(first)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), FailureKind.CONNECT),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), FailureKind.CERTIFICATE),
        (httpx.ProxyError("407"), FailureKind.CONNECT),
        (httpx.ConnectTimeout("late"), FailureKind.TIMEOUT),
        (httpx.PoolTimeout("full"), FailureKind.TIMEOUT),
        (httpx.ReadTimeout("late"), FailureKind.TIMEOUT),
        (httpx.InvalidURL("odd"), FailureKind.BAD_URL),
        (httpx.UnsupportedProtocol("gopher"), FailureKind.BAD_URL),
        (httpx.DecodingError("odd"), FailureKind.ENCODING),
        (httpx.ReadError(""), FailureKind.CONNECTION_LOST),
        (httpx.RemoteProtocolError("odd"), FailureKind.CONNECTION_LOST),
        (ZeroDivisionError("a transport's own bug"), FailureKind.CONNECTION_LOST),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
@pytest.mark.parametrize("asks", [True, False], ids=["asked", "not asked"])
async def test_failures(error: Exception, kind: FailureKind, asks: bool) -> None:
    """The exception's name tells the stage only; whether anything was sent is told by the body alone."""

    async def send(request: httpx.Request) -> httpx.Response:
        if asks:
            await request.aread()
        raise error

    with pytest.raises(ExchangeFailedError) as caught:
        await exchange(send, REQUEST, timeout=5, max_bytes=100)
    assert (caught.value.kind, caught.value.sent) == (kind, asks)
    assert caught.value.__cause__ is error
    assert type(error).__name__ in caught.value.detail


async def test_a_url_that_httpx_refuses() -> None:
    """A URL that cannot even be written as a request is NOT_SENT, not an error of httpx."""
    backend = BorrowedBackend(httpx.MockTransport(lambda _: httpx.Response(200)))
    with pytest.raises(ExchangeFailedError) as caught:
        await backend.exchange(HttpRequest("http://a:b:c/v1", (), b"{}"), timeout=1, max_bytes=1)
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
        with pytest.raises(Exception, match="elsewhere.example"):
            await client.messaging.send_sms(NUMBER, "Hi")
    assert seen == ["api.getcallsavvy.com"]


async def test_no_more_than_max_bytes_is_read() -> None:
    """An endless answer is cut off and its stream closed."""
    stream = Endless()
    backend = BorrowedBackend(Answering(httpx.Response(200, stream=stream)))
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
    backend = BorrowedBackend(transport)
    if kind is None:
        assert (await backend.exchange(REQUEST, timeout=5, max_bytes=1000)).body == SUCCESS
        return
    with pytest.raises(ExchangeFailedError) as caught:
        await backend.exchange(REQUEST, timeout=5, max_bytes=1000)
    assert caught.value.kind is kind


async def test_repeated_headers_are_joined() -> None:
    """Names are lower case, values of one name joined as RFC 9110 has it (5.3)."""
    transport = Answering(httpx.Response(200, headers=[("X-A", "1"), ("x-a", "2")], stream=httpx.ByteStream(b"")))
    response = await BorrowedBackend(transport).exchange(REQUEST, timeout=5, max_bytes=10)
    assert response.headers["x-a"] == "1, 2"


async def test_a_borrowed_backend_has_nothing_to_close() -> None:
    """What was borrowed is closed by its owner."""
    backend = BorrowedBackend(Answering(httpx.Response(200)))
    await backend.aclose()
    assert not backend.is_open


@pytest.mark.parametrize(
    "options",
    [
        {"http_client": httpx.AsyncClient(), "transport": httpx.MockTransport(lambda _: httpx.Response(200))},
        {"transport": httpx.MockTransport(lambda _: httpx.Response(200)), "verify": False},
        {"transport": httpx.MockTransport(lambda _: httpx.Response(200)), "proxy": "http://proxy.example"},
    ],
)
def test_settings_that_contradict_each_other(options: dict[str, Any]) -> None:
    """What is borrowed brings its own TLS and proxy settings."""
    with pytest.raises(ConfigurationError, match="give one of them alone"):
        Callsavvy(public_key="p", private_key="q", **options)


async def test_respx_intercepts_the_default_backend(respx_mock: respx.MockRouter) -> None:
    """Users' tests may mock the API with respx; nothing is sent."""
    route = respx_mock.post(f"{BASE_URL}/getSummary").respond(json={"status": "success", "data": {"sms_balance": "4"}})
    async with Callsavvy(public_key="p", private_key="q", verify=False) as client:
        assert (await client.account.summary()).sms_balance == 4
    assert route.call_count == 1


async def test_pytest_httpx_intercepts_the_default_backend(httpx_mock: HTTPXMock) -> None:
    """Users' tests may mock the API with pytest-httpx; nothing is sent."""
    httpx_mock.add_response(url=f"{BASE_URL}/sendSMS", json={"status": "success", "data": {"status": "sent"}})
    async with Callsavvy(public_key="p", private_key="q", verify=False) as client:
        assert (await client.messaging.send_sms(NUMBER, "Hi")).status == "sent"


# ------------------------------------------------------------------------------------------------------ real sockets


@pytest.mark.sockets
@pytest.mark.parametrize("effect", ["read", "spend"])
async def test_a_slow_drip_does_not_outlast_the_timeout(effect: str, server: SimulatorServer, sim: Simulator) -> None:
    """The timeout is for the whole answer, not for each of its bytes: timeout=1 returns within 1.5 s."""
    sim.faults.rule(Fault.SLOW_DRIP.but(size=1, seconds=0.1))
    async with client_of(server, timeout=1, max_retries=0) as client:
        began = time.monotonic()
        if effect == "read":
            with pytest.raises(AttemptTimeoutError):
                await client.account.summary()
        else:
            with pytest.raises(OutcomeUnknown):
                await client.messaging.send_sms(NUMBER, "Hi")
        assert time.monotonic() - began < 1.5
    assert len(sim.requests) == 1


@pytest.mark.sockets
async def test_a_gzip_bomb_is_cut_off(server: SimulatorServer, sim: Simulator) -> None:
    """A bomb costs no more memory than max_response_bytes."""
    sim.faults.next("getSummary", Fault.GZIP_BOMB.but(size=20 * 2**20))
    async with client_of(server, max_response_bytes=10_000) as client:
        with pytest.raises(AnswerTooLargeError, match="more than 10000 bytes"):
            await client.account.summary()


@pytest.mark.sockets
async def test_nobody_listens() -> None:
    """A refused connection is NOT_SENT and a ConnectError."""
    with listener(None) as port:
        pass
    async with Callsavvy(public_key="p", private_key="q", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        with pytest.raises(ConnectError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


@pytest.mark.sockets
async def test_tls_that_is_none() -> None:
    """A TLS handshake that fails is NOT_SENT: no byte of the request left."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listener(answer) as port:
        async with Callsavvy(
            public_key="p", private_key="q", base_url=f"https://127.0.0.1:{port}/v1", max_retries=0, verify=False
        ) as client:
            with pytest.raises(NotSentError) as caught:
                await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


@pytest.mark.sockets
async def test_an_answer_that_is_cut_after_its_head() -> None:
    """An answer without its body is no answer."""

    def answer(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")

    with listener(answer) as port:
        async with Callsavvy(public_key="p", private_key="q", base_url=f"http://127.0.0.1:{port}/v1") as client:
            with pytest.raises(OutcomeUnknown):
                await client.messaging.send_sms(NUMBER, "Hi")


@pytest.mark.sockets
async def test_connections_are_reused(server: SimulatorServer) -> None:
    """Calls one after the other share a connection, calls side by side have one each, and all are reused."""
    async with client_of(server) as client:
        for _ in range(5):
            await client.account.summary()
        assert server.connections == 1
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(client.account.summary)
        assert 1 < server.connections <= 4


@pytest.mark.sockets
async def test_a_connection_that_the_server_closed_is_not_used(server: SimulatorServer, sim: Simulator) -> None:
    """EOF on an idle connection is noticed before writing: a paid call then goes out once, on a new one."""
    sim.faults.next("getSummary", Fault.CLOSE_AFTER_ANSWER)
    backend = LanesBackend()
    client = client_of(server)
    client._transport.shared.backend = backend
    async with client:
        await client.account.summary()
        (lane,) = backend._lanes.get().idle
        with anyio.fail_after(5):
            while not all(connection.has_expired() for connection in lane._pool.connections):
                await anyio.lowlevel.checkpoint()
        await client.messaging.send_sms(NUMBER, "Hi")
    assert server.connections == 2
    assert sim.ledger.charged_count(NUMBER) == 1


@pytest.mark.sockets
async def test_a_cancelled_exchange_gives_its_connection_up(server: SimulatorServer, sim: Simulator) -> None:
    """After a cancellation the next call does not read the old call's answer."""
    sim.faults.next("getSummary", Fault.HANG)
    async with client_of(server) as client:
        with anyio.move_on_after(0.05):
            await client.account.summary()
        assert await client.account.departments()
    assert server.connections == 2


@pytest.mark.sockets
def test_three_runs_of_one_client(server: SimulatorServer) -> None:
    """One client serves several event loops one after the other, asyncio's and trio's; each closes what it opened."""
    client = client_of(server)

    async def call() -> None:
        await client.account.summary()
        assert client._transport.shared.backend.is_open

    for run in (asyncio.run, asyncio.run, asyncio.run):
        run(call())
        assert not client._transport.shared.backend.is_open
    for _ in range(2):
        trio.run(call)
        assert not client._transport.shared.backend.is_open
    assert server.connections == 5


@pytest.mark.sockets
async def test_closing(server: SimulatorServer) -> None:
    """aclose() may be called again, a closed client says so, and it can be entered anew."""
    client = client_of(server)
    async with client:
        await client.account.summary()
        assert "open" in repr(client)
    await client.aclose()
    assert not client._transport.shared.backend.is_open
    with pytest.raises(RuntimeError, match="the client is closed"):
        await client.account.summary()
    async with client:
        await client.account.summary()


@pytest.mark.sockets
async def test_closing_while_a_call_is_under_way(server: SimulatorServer, sim: Simulator) -> None:
    """The call in flight gets its answer, and its connection is closed behind it."""
    sim.latency = 0.1
    client = client_of(server)
    async with anyio.create_task_group() as group:
        group.start_soon(client.account.summary)
        with anyio.fail_after(5):
            while not sim.requests:
                await anyio.lowlevel.checkpoint()
        await client.aclose()
    assert not client._transport.shared.backend.is_open


@pytest.mark.sockets
async def test_a_leaked_client_warns(server: SimulatorServer) -> None:
    """A client that is dropped while its connections are open says so; one that was closed, or never used, does not."""
    client = client_of(server)
    await client.account.summary()
    backend = client._transport.shared.backend
    with pytest.warns(ResourceWarning, match="unclosed Callsavvy client"):
        del client
        gc.collect()
    await backend.aclose()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unused = client_of(server)
        async with client_of(server) as closed:
            await closed.account.summary()
        del unused, closed
        gc.collect()


@pytest.mark.sockets
async def test_two_clients_share_nothing(server: SimulatorServer, sim: Simulator) -> None:
    """Two clients in one event loop have connections of their own, by whatever anyio tells run variables apart."""
    async with client_of(server) as one, client_of(server) as other:
        await one.account.summary()
        await other.account.summary()
        assert server.connections == 2
        names = [client._transport.shared.backend._lanes._name for client in (one, other)]
        assert names[0] != names[1]


@pytest.mark.sockets
async def test_the_ssl_context_is_built_once_and_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading certificates would block the event loop; it is done once, in a thread, and only for https."""
    threads: list[int] = []
    build = httpx.create_ssl_context

    def create(*arguments: Any) -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return build(*arguments)

    monkeypatch.setattr(httpx, "create_ssl_context", create)
    with listener(None) as port:
        pass
    for scheme, built in (("http", 0), ("https", 1)):
        backend = LanesBackend(verify=False)
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(_fail_to_connect, backend, f"{scheme}://127.0.0.1:{port}/v1/x")
        await backend.aclose()
        assert "0 open" in repr(backend)
        assert len(set(threads)) == len(threads) == built
    assert threads[0] != threading.get_ident()


async def _fail_to_connect(backend: LanesBackend, url: str) -> None:
    with pytest.raises(ExchangeFailedError):
        await backend.exchange(HttpRequest(url, (), b"{}"), timeout=5, max_bytes=10)


@pytest.mark.sockets
async def test_a_success_that_is_no_json_keeps_its_bytes(server: SimulatorServer, sim: Simulator) -> None:
    """The raw answer is on the error, for who wants to look."""
    sim.faults.next("getSummary", Fault.HTML_ANSWER)
    async with client_of(server) as client:
        with pytest.raises(DecodeError) as caught:
            await client.account.summary()
    assert b"<html>" in (caught.value.body or b"")
