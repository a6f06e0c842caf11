"""The lanes as a transport of httpx: what a user of `httpx.AsyncClient` sees."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from callsavvy_async.transport.backends.lanes_httpx import LanesTransport
from callsavvy_async.wire.failure import ExchangeFailedError

from .hostile import OK, Hostile, Peer, hostile
from .test_answer import GARBLED, sized

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
async def client(anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open an httpx client over lanes."""
    async with httpx.AsyncClient(transport=LanesTransport(), timeout=5) as opened:
        yield opened


def url(server: Hostile, path: str = "/a?b=1") -> str:
    return f"{'https' if server.secure else 'http'}://127.0.0.1:{server.port}{path}"


async def polite(peer: Peer) -> None:
    """Answer with the head that came."""
    while True:
        await peer.read_request()
        head = peer.server.heads[-1]
        await peer.send(sized(b"" if head.startswith(b"HEAD") else head, b"Set-Cookie: a=1", b"Set-Cookie: b=2"))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods(client: httpx.AsyncClient, method: str) -> None:
    """Any method, its URL and fields go over the wire as httpx gave them; connections are used again."""
    async with hostile(polite) as server:
        for _ in range(2):
            answer = await client.request(method, url(server), headers={"X-A": b"\xe9"}, content=b"abc")
            assert answer.status_code == 200
            lines = answer.content.split(b"\r\n")
            assert lines[0] == f"{method} /a?b=1 HTTP/1.1".encode()
            assert {b"content-length: 3", b"X-A: \xe9", f"Host: 127.0.0.1:{server.port}".encode()} <= set(lines)
            assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
            assert answer.http_version == "HTTP/1.1"
        assert (server.requests, server.connections) == ([b"abc"] * 2, 1)
        assert repr(client._transport) == "LanesTransport(lanes (1 open, 1 idle))"


async def test_head(client: httpx.AsyncClient) -> None:
    """The answer to a HEAD has no body."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")

    async with hostile(script) as server:
        for _ in range(2):
            answer = await client.head(url(server))
            assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "1000")


async def test_streams(client: httpx.AsyncClient) -> None:
    """A body that is given in pieces is sent whole, with its length."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    async with hostile(polite) as server:
        await client.post(url(server), content=pieces())
        assert server.requests == [b"abcd"]
        assert b"transfer-encoding" not in server.heads[0].lower()
        async with client.stream("GET", url(server)) as answer:
            assert b"".join([piece async for piece in answer.aiter_bytes()]).startswith(b"GET ")


async def test_encodings(client: httpx.AsyncClient) -> None:
    """Httpx decodes what came."""

    async def script(peer: Peer) -> None:
        await peer.answer(sized(gzip.compress(b"abc"), b"Content-Encoding: gzip"))

    async with hostile(script) as server:
        assert (await client.get(url(server))).content == b"abc"


async def test_over_tls(anyio_backend: str, client_tls: ssl.SSLContext, server_tls: ssl.SSLContext) -> None:
    """TLS with the caller's own context."""
    async with (
        hostile(polite, server_tls) as server,
        httpx.AsyncClient(transport=LanesTransport(verify=client_tls)) as client,
    ):
        assert (await client.get(url(server))).status_code == 200


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("refused", httpx.ConnectError),
        ("plain server", httpx.ConnectError),
        ("no handshake", httpx.ConnectTimeout),
        ("no answer", httpx.ReadTimeout),
        ("not read", httpx.WriteTimeout),
        ("closed", httpx.ReadError),
        ("closed in the body", httpx.WriteError),
        ("too large", httpx.ReadError),
        *((name, httpx.RemoteProtocolError) for name in list(GARBLED)[:3]),
    ],
)
async def test_failures(client: httpx.AsyncClient, case: str, error: type[httpx.TransportError]) -> None:
    """Failures are httpx's own; the cause tells what had left."""

    async def script(peer: Peer) -> None:
        match case:
            case "plain server":
                await peer.reader.read(10)
                await peer.send(OK)
            case "no handshake" | "not read":
                await peer.hang()
            case "no answer":
                await peer.read_request()
                await peer.hang()
            case "closed":
                await peer.read_request()
            case "closed in the body":
                await peer.read(100)
                peer.reset()
            case "too large":
                await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n" + bytes(100))
                await peer.drain_all()
            case _:
                await peer.answer(GARBLED[case])

    client._transport._max_bytes = 50
    large = case in {"not read", "closed in the body"}
    async with hostile(script) as server:
        server.secure = case in {"plain server", "no handshake"}
        if case == "refused":
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                server.port = sock.getsockname()[1]
        with pytest.raises(httpx.TransportError) as caught:
            await client.post(url(server), content=bytes(8_000_000 if large else 2), timeout=0.3)
    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, ExchangeFailedError)
    assert caught.value.request.method == "POST"


async def test_no_free_lane(anyio_backend: str) -> None:
    """Where all lanes are taken for too long, it is httpx's pool time-out."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.hang()

    transport = LanesTransport(max_lanes=0)
    async with hostile(script) as server, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.PoolTimeout):
            await client.get(url(server), timeout=0.05)


@pytest.mark.parametrize(
    ("method", "address", "headers", "error"),
    [
        ("CONNECT", "http://127.0.0.1/", {}, httpx.UnsupportedProtocol),
        ("GET", "ftp://127.0.0.1/", {}, httpx.UnsupportedProtocol),
        ("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "http://127.0.0.1/", {}, httpx.LocalProtocolError),
        ("GET", "http://127.0.0.1/", {"X": "a\r\nY: b"}, httpx.LocalProtocolError),
        ("GET", "http://127.0.0.1/", {"X": "a\0"}, httpx.LocalProtocolError),
        ("GET", "http://127.0.0.1/", {"X: y\r\nZ": "a"}, httpx.LocalProtocolError),
    ],
)
async def test_what_is_refused(
    client: httpx.AsyncClient, method: str, address: str, headers: dict[str, str], error: type[Exception]
) -> None:
    """What would smuggle a line into a request is refused before anything is opened."""
    with pytest.raises(error):
        await client.request(method, address, headers=headers)


async def test_no_time_out(anyio_backend: str) -> None:
    """None is no time-out, and sets no alarm."""
    async with hostile(polite) as server, httpx.AsyncClient(transport=LanesTransport(), timeout=None) as client:  # noqa: S113
        assert (await client.get(url(server))).status_code == 200
