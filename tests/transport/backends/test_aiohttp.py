"""The adapter on aiohttp: what its errors prove, one POST whatever stands in between, and other people's sessions."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from callsavvy_async import Callsavvy, Outcome, OutcomeUnknownError, RateLimitError, RedirectError, RequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.backends.aiohttp import AiohttpBackend
from callsavvy_async.transport.backends.aiohttp_body import PayloadBody
from callsavvy_async.transport.backends.aiohttp_exchange import exchange
from callsavvy_async.transport.backends.proof import BodyReadTwiceError
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.request_template import RequestTemplate

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

NUMBER = "+2348012345678"
REQUEST = HttpRequest(RequestTemplate.of("http://127.0.0.1:9/v1/sendSMS", (("host", "127.0.0.1:9"),)), b'{"to":"x"}')
SUCCESS = b'{"status":"success"}'


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, the only one of aiohttp."""
    return "asyncio"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session as a user does."""
    async with aiohttp.ClientSession() as opened:
        yield opened


def client_of(server: SimulatorServer, **options: Any) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, **options)


# -------------------------------------------------------------------------------------------------------- the body


class Writer:
    def __init__(self) -> None:
        self.written = b""

    async def write(self, chunk: bytes) -> None:
        self.written += chunk


@pytest.mark.parametrize("way", ["write", "decode", "as_bytes"])
async def test_a_body_is_given_out_once_and_notes_it(way: str) -> None:
    """However the bytes are taken, by the connection or by a middleware, it is noted, and there is no second time."""
    body, writer = PayloadBody(b"abc"), Writer()
    assert (body.size, body.was_read, body.consumed) == (3, False, False)

    async def take() -> object:
        if way == "write":
            await body.write(writer)  # type: ignore[arg-type]
            return writer.written.decode()
        return body.decode() if way == "decode" else (await body.as_bytes()).decode()

    assert await take() == "abc"
    assert body.was_read
    assert body.consumed
    with pytest.raises(BodyReadTwiceError):
        await take()


# ----------------------------------------------------------------------------------------------------- what is proved

KEY = ConnectionKey("api.example", 443, True, True, None, None, None)
REFUSED = ConnectionRefusedError(111, "refused")
INFO = aiohttp.RequestInfo("http://x", "POST", {}, "http://x")  # type: ignore[arg-type]

BEFORE_SENDING = [
    (aiohttp.ClientConnectorError(KEY, REFUSED), FailureKind.CONNECT),
    (aiohttp.ClientConnectorDNSError(KEY, REFUSED), FailureKind.CONNECT),
    (aiohttp.ClientProxyConnectionError(KEY, REFUSED), FailureKind.CONNECT),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "odd")), FailureKind.CONNECT),
    (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "odd")), FailureKind.CERTIFICATE),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "api.example", 443), FailureKind.CERTIFICATE),
    (aiohttp.ClientHttpProxyError(INFO, (), status=407), FailureKind.CONNECT),
    (aiohttp.ConnectionTimeoutError("late"), FailureKind.TIMEOUT),
    (aiohttp.InvalidUrlClientError("odd"), FailureKind.BAD_URL),
    (aiohttp.NonHttpUrlClientError("gopher"), FailureKind.BAD_URL),
]
AT_ANY_TIME = [
    (aiohttp.ServerDisconnectedError(), FailureKind.CONNECTION_LOST),
    (aiohttp.ClientOSError(104, "reset"), FailureKind.CONNECTION_LOST),
    (aiohttp.ClientConnectionResetError("closing"), FailureKind.CONNECTION_LOST),
    (aiohttp.ClientPayloadError("cut"), FailureKind.CONNECTION_LOST),
    (aiohttp.ClientConnectionError("odd"), FailureKind.CONNECTION_LOST),
    (aiohttp.ClientResponseError(INFO, (), status=400), FailureKind.PROTOCOL_ERROR),
    (aiohttp.SocketTimeoutError("late"), FailureKind.TIMEOUT),
    (aiohttp.ServerTimeoutError("late"), FailureKind.TIMEOUT),
    (TimeoutError(), FailureKind.TIMEOUT),
    (RuntimeError("a middleware's own bug"), FailureKind.CONNECTION_LOST),
]


@pytest.mark.parametrize(
    ("error", "kind"), BEFORE_SENDING + AT_ANY_TIME, ids=lambda value: getattr(value, "name", type(value).__name__)
)
@pytest.mark.parametrize("asks", [True, False], ids=["asked", "not asked"])
async def test_failures(
    error: Exception, kind: FailureKind, asks: bool, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not sent needs both: an error from before there is a connection, and a body that nobody asked for."""

    async def request(_: object, *__: object, data: PayloadBody, **___: object) -> object:
        if asks:
            data.give()
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)  # as aioresponses does
    with pytest.raises(ExchangeFailedError) as caught:
        await exchange(session, REQUEST, timeout=5, max_bytes=100)
    early = any(error is one for one, _ in BEFORE_SENDING)
    assert (caught.value.kind, caught.value.sent) == (kind, asks or not early)
    assert type(error).__name__ in caught.value.detail


async def test_a_mocked_session_answers(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for a session's requests is asked, and nothing is sent beside it."""

    class Answer:
        status = 200
        raw_headers = ((b"Content-Type", b"application/json"), (b"X-A", b"1"), (b"x-a", b"2"))
        content = aiohttp.StreamReader(aiohttp.base_protocol.BaseProtocol(asyncio.get_running_loop()), 2**16)

        def close(self) -> None:
            self.closed = True

    answer = Answer()
    answer.content.feed_data(SUCCESS)
    answer.content.feed_eof()

    async def request(*_: object, **__: object) -> Answer:
        return answer

    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)
    response = await exchange(session, REQUEST, timeout=5, max_bytes=100)
    assert (response.status_code, response.body, response.headers["x-a"]) == (200, SUCCESS, "1, 2")
    assert answer.closed


# -------------------------------------------------------------------------------------------------- one POST per call


async def test_a_stale_connection_is_not_tried_again(session: aiohttp.ClientSession, server: SimulatorServer) -> None:
    """Aiohttp repeats requests that broke on a reused connection; a POST of ours it does not."""
    sim = server.simulator
    async with client_of(server, session=session) as client:
        await client.account.summary()  # leaves a connection to be reused
        for fault in (Fault.DROP_AFTER_READ, Fault.RESET_AFTER_READ, Fault.DROP_BEFORE_READ):
            sim.faults.next("sendSMS", fault)
            seen = len(sim.requests)
            with pytest.raises(OutcomeUnknownError):
                await client.messaging.send_sms(NUMBER, "Hi")
            assert len(sim.requests) == seen + 1
            await client.account.summary()


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_READ, Fault.with_status(502, processed=True)], ids=str)
async def test_a_middleware_that_repeats(fault: Fault, server: SimulatorServer, sim: Simulator) -> None:
    """A user's middleware that repeats requests cannot send a paid message twice: the body is not given again."""

    async def stubborn(
        request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
    ) -> aiohttp.ClientResponse:
        try:
            response = await handler(request)
        except aiohttp.ClientError:
            return await handler(request)
        return await handler(request) if response.status == 502 else response

    sim.faults.next("sendSMS", fault)
    async with aiohttp.ClientSession(middlewares=(stubborn,)) as session, client_of(server, session=session) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.messaging.send_sms(NUMBER, "Hi")
    assert sim.ledger.posts("sendSMS") == 1
    assert sim.ledger.charged_count(NUMBER) == 1


async def test_a_middleware_that_reads_the_body_first(server: SimulatorServer, sim: Simulator) -> None:
    """Who takes the bytes, to sign them perhaps, has taken them: the outcome is UNKNOWN, and nothing goes out."""

    async def signing(
        request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
    ) -> aiohttp.ClientResponse:
        assert isinstance(request.body, aiohttp.Payload)
        await request.body.as_bytes()
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(signing,)) as session, client_of(server, session=session) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.messaging.send_sms(NUMBER, "Hi")
    assert sim.ledger.posts("sendSMS") == 0


# ---------------------------------------------------------------------------------------------------------- sessions


async def test_a_users_session(server: SimulatorServer, session: aiohttp.ClientSession) -> None:
    """It is used as it is, and stays open."""
    async with client_of(server, session=session) as client:
        await client.account.summary()
        assert "a borrowed aiohttp ClientSession" in repr(client)
    assert not client._transport.shared.backend.is_open
    assert not session.closed


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.redirect(307), RedirectError), (Fault.with_status(429, retry_after="9"), RateLimitError)],
    ids=str,
)
async def test_a_sessions_habits_do_not_matter(
    fault: Fault, error: type[RequestError], server: SimulatorServer
) -> None:
    """A session that raises for status, follows redirects and times out early: the answer is judged by us all the same."""
    server.simulator.faults.next("sendSMS", fault)
    server.simulator.latency = 0.05
    hasty = aiohttp.ClientTimeout(total=0.01)
    async with (
        aiohttp.ClientSession(raise_for_status=True, timeout=hasty) as session,
        client_of(server, session=session, deadline=5) as client,
    ):
        with pytest.raises(error):
            await client.messaging.send_sms(NUMBER, "Hi")
    assert len(server.simulator.requests) == 1


async def test_a_closed_session(server: SimulatorServer, session: aiohttp.ClientSession) -> None:
    """A session that its owner closed sends nothing, and that is known."""
    async with client_of(server, session=session, max_retries=0) as client:
        await session.close()
        with pytest.raises(RequestError, match="ClientSession is closed") as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.outcome is Outcome.NOT_SENT


async def test_our_own_session_keeps_no_cookies() -> None:
    """Cookies of one answer do not travel with the next request; nor does the environment choose a proxy."""
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(len(REQUEST.body))
            writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 20\r\n\r\n" + SUCCESS)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    request = HttpRequest(
        RequestTemplate.of(f"http://localhost:{port}/v1/x", (("host", f"localhost:{port}"),)), REQUEST.body
    )
    backend = AiohttpBackend()
    for _ in range(2):
        await backend.exchange(request, timeout=5, max_bytes=100)
    assert repr(backend) == "aiohttp (1 open)"
    await backend.aclose()
    server.close()
    await server.wait_closed()
    assert b"content-length: 10\r\n" in heads[1].lower()
    assert b"cookie" not in heads[1].lower()


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", gzip.compress(SUCCESS), None),
        ("gzip", gzip.compress(bytes(10**6)), FailureKind.TOO_LARGE),
        ("gzip", gzip.compress(SUCCESS)[:-6], FailureKind.ENCODING),
        ("gzip", b"no gzip at all", FailureKind.ENCODING),
        ("br", b"what is this", FailureKind.ENCODING),
        ("identity", SUCCESS, None),
    ],
    ids=["gzip", "bomb", "cut", "garbage", "not offered", "plain"],
)
async def test_encodings(encoding: str, body: bytes, kind: FailureKind | None, session: aiohttp.ClientSession) -> None:
    """Answers are decoded by us, in bounded memory; a broken encoding is told as such."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(REQUEST.body)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\n" % encoding.encode())
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    request = HttpRequest(RequestTemplate.of(f"http://127.0.0.1:{port}/v1/x", ()), REQUEST.body)
    if kind is None:
        assert (await exchange(session, request, timeout=5, max_bytes=1000)).body == SUCCESS
    else:
        with pytest.raises(ExchangeFailedError) as caught:
            await exchange(session, request, timeout=5, max_bytes=1000)
        assert (caught.value.kind, caught.value.sent) == (kind, True)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("through", ["proxy away", "proxy refuses"])
async def test_a_proxy_that_does_not_serve(through: str) -> None:
    """A proxy that is away, or refuses to connect to the API, is NOT_SENT."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    if through == "proxy away":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    client = Callsavvy(
        public_key="p", private_key="q", backend="aiohttp", proxy=f"http://127.0.0.1:{port}", max_retries=0
    )
    async with client:
        with pytest.raises(RequestError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.outcome is Outcome.NOT_SENT
    proxy.close()
    await proxy.wait_closed()
