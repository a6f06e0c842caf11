"""TLS on connections: whom they trust, what fails in the handshake, counted records, the end of a stream that was said."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import trustme

from callsavvy_async.transport.native import trust as native_trust
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.transport.native.trust import Trust
from callsavvy_async.wire.failure import FailureKind
from tests.profiles import mostly_long

from .hostile import Hostile, Peer, descriptors, hostile, seen
from .test_response import BODY, TO_EOF, WHOLE, named

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
async def trusting(anyio_backend: str, client_tls: ssl.SSLContext) -> AsyncIterator[NativeBackend]:
    """Make a backend that trusts the tests' authority."""
    before = descriptors()
    made = NativeBackend(verify=client_tls)
    yield made
    await made.aclose()
    assert not made.is_open
    await seen(lambda: descriptors() <= before)


async def polite(peer: Peer) -> None:
    """Answer every request."""
    while True:
        await peer.answer()


async def relay(
    peer: Peer, server: Hostile, *, up: Callable[[bytes], bool] = bool, at_every_byte: bool = False
) -> None:
    """Be the wire between a client and a server: `up` sees what goes to the server, and may hold it back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def upward() -> None:
        while data := await peer.reader.read(65536):
            if up(data):
                writer.write(data)
        writer.close()

    async def downward() -> None:
        while data := await reader.read(65536):
            await peer.send(data, at=range(len(data)) if at_every_byte else ())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(upward())
            group.create_task(downward())
    finally:
        writer.close()


# ------------------------------------------------------------------------------------------------------------ exchanges


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_over_tls(trusting: NativeBackend, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    """Connections over TLS are used again; the protocol is agreed on."""
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server_tls)
    server_tls.minimum_version = server_tls.maximum_version = version
    async with hostile(polite, server_tls) as server:
        for number in range(20):
            assert (await server.post(trusting, b"%d" % number)).body == b"{}"
        assert (server.connections, server.requests[-1]) == (1, b"19")
        assert repr(trusting) == "native (1 open, 1 idle)"


@named(WHOLE)
async def test_an_answer_in_many_records(trusting: NativeBackend, server_tls: ssl.SSLContext, data: bytes) -> None:
    """Records and packets may end anywhere."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(data, at=range(0, len(data), 3))

    async with hostile(script, server_tls) as server:
        for _ in range(3):
            assert (await server.post(trusting)).body == BODY


async def test_records_cut_at_every_byte(
    trusting: NativeBackend, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    """Handshake and answer come through a wire that delivers byte by byte."""
    async with hostile(polite, server_tls) as server:

        async def forward(peer: Peer) -> None:
            await relay(peer, server, at_every_byte=True)

        async with hostile(forward) as wire:
            wire.secure = True
            for _ in range(3):
                assert (await wire.post(trusting)).body == b"{}"
            assert server.connections == 1
            await trusting.aclose()
            await seen(lambda: all(peer.reader.at_eof() for peer in wire.peers))


async def test_large_bodies_over_tls(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """Megabytes go out and come back, handed over as the kernel takes them."""
    body = bytes(range(256)) * 20_000

    async def script(peer: Peer) -> None:
        while True:
            got = await peer.read_request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(got), got))

    async with hostile(script, server_tls) as server:
        for _ in range(2):
            assert (await server.post(trusting, body, max_bytes=len(body))).body == body
        assert server.connections == 1


# ------------------------------------------------------------------------------------------------------------- handshake


def _expired(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_before=yesterday - dt.timedelta(days=1), not_after=yesterday).configure_cert(
        context
    )
    return context


def _unknown(_: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def _other_name(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    return context


@pytest.mark.parametrize("make", [_expired, _unknown, _other_name])
async def test_a_certificate_that_is_refused(trusting: NativeBackend, authority: trustme.CA, make) -> None:
    """It is said so, nothing was sent, and the server is told why."""
    async with hostile(polite, make(authority)) as server:
        for _ in range(2):
            failure = await server.fails(trusting)
            assert (failure.kind, failure.sent, failure.bytes_sent) == (FailureKind.CERTIFICATE, False, 0)
        assert server.requests == []


async def test_no_verification(anyio_backend: str) -> None:
    """Whoever asks for it gets it."""
    backend = NativeBackend(verify=False)
    async with hostile(polite, _unknown(trustme.CA())) as server:
        assert (await server.post(backend)).body == b"{}"
        await backend.aclose()


@pytest.mark.parametrize(
    "case", ["plain HTTP", "garbage", "reset", "close", "close at once", "hang", "an alert", "half a handshake"]
)
async def test_a_handshake_that_fails(trusting: NativeBackend, case: str) -> None:
    """Whatever goes wrong before the keys are agreed on, no byte of the request has left."""

    async def script(peer: Peer) -> None:
        if case == "close at once":
            return
        await peer.reader.read(1000)
        match case:
            case "plain HTTP":
                await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            case "garbage":
                await peer.send(bytes(1000))
            case "reset":
                peer.reset()
            case "hang":
                await peer.drain_all()
                peer.server.heads.append(b"closed by the client")
            case "an alert":
                await peer.send(b"\x15\x03\x03\x00\x02\x02\x28")
            case "half a handshake":
                await peer.send(b"\x16\x03\x03\x01")
            case _:
                pass

    async with hostile(script) as server:
        server.secure = True
        failure = await server.fails(trusting, timeout=0.3 if case == "hang" else 10.0)
        kind = FailureKind.TIMEOUT if case == "hang" else FailureKind.CONNECT
        assert (failure.kind, failure.sent, failure.bytes_sent) == (kind, False, 0)
        await seen(lambda: case != "hang" or server.heads)


async def test_a_protocol_that_is_not_ours(anyio_backend: str, authority: trustme.CA) -> None:
    """Where a user's context offers HTTP/2 and the server takes it, nothing is sent: nobody here speaks it."""
    client, server_tls = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    client.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    server_tls.set_alpn_protocols(["h2"])
    backend = NativeBackend(verify=client)
    async with hostile(polite, server_tls) as server:
        failure = await server.fails(backend)
        assert (failure.kind, failure.bytes_sent) == (FailureKind.CONNECT, 0)
        assert "h2" in failure.detail
        await backend.aclose()


# --------------------------------------------------------------------------------------------------------------- the end


@named(TO_EOF)
async def test_the_end_of_a_stream(trusting: NativeBackend, server_tls: ssl.SSLContext, data: bytes) -> None:
    """An answer that ends with the stream needs the peer's word that it ended (RFC 8446, 6.1)."""

    async def script(peer: Peer) -> None:
        await peer.answer(data)
        if peer.number == 1:
            peer.close()  # says close_notify
            await peer.writer.wait_closed()
        else:
            peer.writer.transport.abort()  # FIN alone: anybody can send one

    async with hostile(script, server_tls) as server:
        assert (await server.post(trusting)).body == BODY
        failure = await server.fails(trusting)
        assert (failure.kind, failure.sent) == (FailureKind.CONNECTION_LOST, True)


@pytest.mark.parametrize("how", mostly_long(["close", "abort"]))
async def test_closed_while_idle(trusting: NativeBackend, server_tls: ssl.SSLContext, how: str) -> None:
    """A connection that the server closed is not written to."""

    async def script(peer: Peer) -> None:
        await peer.answer()
        getattr(peer.writer.transport, how)()

    async with hostile(script, server_tls) as server:
        for number in range(50):
            assert (await server.post(trusting)).body == b"{}"
            if number % 2:
                await seen(lambda: not trusting.is_open)
            else:
                await seen(lambda: server.peers[-1].reader.at_eof() or server.peers[-1].writer.is_closing())
                await asyncio.sleep(0)


async def test_a_lane_says_goodbye(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """An idle connection is closed with a close_notify, so that the server need not wonder."""
    ends: list[bool] = []

    async def script(peer: Peer) -> None:
        await peer.answer()
        ends.append(await peer.reader.read() == b"" and peer.reader.exception() is None)

    async with hostile(script, server_tls) as server:
        await server.post(trusting)
        await trusting.aclose()
        await seen(lambda: ends)
        assert ends == [True]


async def test_garbage_between_records(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """Bytes that are no record break the connection; the request may have been acted on."""

    async def reads(peer: Peer) -> None:
        await peer.read_request()
        await peer.hang()

    async with hostile(reads, server_tls) as server:

        async def forward(peer: Peer) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(relay(peer, server))
                await seen(lambda: server.requests)
                await peer.send(bytes(100))

        async with hostile(forward) as wire:
            wire.secure = True
            failure = await wire.fails(trusting)
            assert (failure.kind, failure.sent) == (FailureKind.CONNECTION_LOST, True)


# --------------------------------------------------------------------------------------------------------------- counted


async def test_the_records_that_left(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """Under TLS the bytes of the records are counted, to the byte; where there is none, nothing was sent."""
    passed: list[int] = []
    held: list[str] = []
    async with hostile(polite, server_tls) as server:

        def note(data: bytes) -> bool:
            passed.append(len(data))
            return not held

        async def forward(peer: Peer) -> None:
            await relay(peer, server, up=note)

        async with hostile(forward) as wire:
            wire.secure = True
            await wire.post(trusting)
            held.append("from now on")
            before = sum(passed)
            failure = await wire.fails(trusting, b"x" * 100_000, timeout=0.3)
            assert failure.kind is FailureKind.TIMEOUT
            await seen(lambda: sum(passed) - before == failure.bytes_sent)
            assert failure.bytes_sent is not None
            assert failure.bytes_sent > len(wire.wire(b"x" * 100_000))


async def test_a_record_that_the_kernel_refuses(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """A write that was refused whole took nothing, under TLS too: not sent, and proved."""
    async with hostile(polite, server_tls) as server:
        await server.post(trusting)
        (connection,) = trusting._last.pools[True, "127.0.0.1", server.port].connections
        with connection._transport.get_extra_info("socket").dup() as copy:
            copy.shutdown(1)
        failure = await server.fails(trusting)
        assert (failure.kind, failure.sent, failure.bytes_sent) == (FailureKind.CONNECTION_LOST, False, 0)
        assert server.requests == [b"{}"]


async def test_an_early_answer_over_tls(trusting: NativeBackend, server_tls: ssl.SSLContext) -> None:
    """A refusal before the request was all read is the answer, also when the connection breaks behind it."""

    async def script(peer: Peer) -> None:
        await peer.read(100)
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        peer.reset()

    async with hostile(script, server_tls) as server:
        for _ in range(10):
            assert (await server.post(trusting, b"x" * 8_000_000)).status_code == 413


# ----------------------------------------------------------------------------------------------------------------- trust


async def test_the_context_is_built_once_and_off_the_loop(
    monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    """Loading certificates would block the event loop."""
    threads: list[int] = []

    def counted() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    monkeypatch.setattr(native_trust, "_trust_by_default", counted)
    backend = NativeBackend()
    async with hostile(polite, tls=server_tls) as server:
        await asyncio.gather(*(server.post(backend) for _ in range(5)))
    await backend.aclose()
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_whom_connections_trust(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, variable: str | None
) -> None:
    """The same as httpx: certifi's list, or what SSL_CERT_FILE or SSL_CERT_DIR name."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    pem = tmp_path / "9d66eef0.0"
    authority.cert_pem.write_to_path(str(pem))
    if variable is not None:
        monkeypatch.setenv(variable, str(pem if variable == "SSL_CERT_FILE" else tmp_path))
    ours, theirs = Trust(verify=True).load(), httpx.create_ssl_context()
    assert ours.cert_store_stats() == theirs.cert_store_stats()
    assert (ours.verify_mode, ours.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (ours.minimum_version, ours.options) == (theirs.minimum_version, theirs.options)
