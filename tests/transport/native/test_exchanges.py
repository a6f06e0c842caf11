"""Exchanges over sockets with servers that misbehave: the outcome, the bytes that left, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from callsavvy_async.transport.native.backend import NativeBackend, write_head
from callsavvy_async.transport.native.connection import WRITE_SIZE
from callsavvy_async.transport.native.response import MAX_HEAD
from callsavvy_async.wire.failure import FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.request_template import RequestTemplate
from tests.profiles import mostly_long

from .hostile import OK, Peer, hostile, seen
from .test_response import BODY, GARBLED, LAST, LINE, TO_EOF, WHOLE, named

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

BIG = b'"' + b"x" * 8_000_000 + b'"'
"""More than the kernel takes at once."""


def idle(backend: NativeBackend) -> int:
    return int(repr(backend).split(", ")[1].split()[0])


# --------------------------------------------------------------------------------------------------------- good ones


@named(WHOLE)
async def test_an_answer_cut_at_every_byte(backend: NativeBackend, data: bytes) -> None:
    """However the network cuts it, the answer is the same, and the connection is used again exactly where it may be."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            cut = int(peer.server.requests[-1])
            await peer.send(data, at=(cut,))

    async with hostile(script) as server:
        for cut in range(len(data)):
            answer = await server.post(backend, b"%d" % cut)
            assert (answer.status_code, answer.body) == (200, BODY)
        assert server.requests == [b"%d" % cut for cut in range(len(data))]
        assert server.connections == (len(data) if data in LAST.values() else 1)
        assert idle(backend) == (0 if data in LAST.values() else 1)


@named(TO_EOF)
async def test_an_answer_to_the_end_of_the_stream(backend: NativeBackend, data: bytes) -> None:
    """The end of the stream is the end of the body; a reset there is not."""

    async def script(peer: Peer) -> None:
        await peer.answer(data, at=range(0, len(data), 7))
        if peer.number == 2:
            await peer.send(b"", ())
            for _ in range(5):
                await asyncio.sleep(0)
            peer.reset()

    async with hostile(script) as server:
        assert (await server.post(backend)).body == BODY
        assert (await server.fails(backend)).kind is FailureKind.CONNECTION_LOST
        assert idle(backend) == 0


def test_the_head_of_a_request() -> None:
    """It is a request line and all fields, and ends where the length of the body goes."""
    template = RequestTemplate.of("https://api.example/v1/sendSMS", (("host", "api.example"), ("public-key", "secret")))
    assert write_head(template) == (
        b"POST /v1/sendSMS HTTP/1.1\r\nhost: api.example\r\npublic-key: secret\r\ncontent-length: "
    )


async def test_what_goes_over_the_wire(backend: NativeBackend) -> None:
    """Head, length and body, in one piece, as the template wrote them."""

    async def script(peer: Peer) -> None:
        data = await peer.reader.read(10_000)
        assert data == peer.server.wire(b'{"a":1}')
        await peer.send(OK)

    async with hostile(script) as server:
        assert (await server.post(backend, b'{"a":1}')).body == b"{}"


async def test_a_large_request(backend: NativeBackend) -> None:
    """A body that the kernel does not take at once is handed over piece by piece, never more than it has room for."""
    most = 0

    async def script(peer: Peer) -> None:
        nonlocal most
        for _ in range(50):  # let the client fill what there is to fill
            await asyncio.sleep(0)
        (connection,) = backend._last.pools[False, "127.0.0.1", server.port].connections
        most = connection._transport.get_write_buffer_size()
        await peer.answer()
        await peer.answer()

    async with hostile(script) as server:
        assert (await server.post(backend, BIG)).body == b"{}"
        assert server.requests == [BIG]
        assert 0 < most <= WRITE_SIZE
        assert idle(backend) == 1
        assert (await server.post(backend, b"{}")).body == b"{}"
        assert server.connections == 1


async def test_a_large_answer(backend: NativeBackend) -> None:
    """An answer of megabytes is read whole."""

    async def script(peer: Peer) -> None:
        await peer.answer(LINE + b"content-length: %d\r\n\r\n" % len(BIG) + BIG)

    async with hostile(script) as server:
        assert (await server.post(backend, max_bytes=len(BIG))).body == BIG


# ------------------------------------------------------------------------------------------------------------ bad ones


@named(GARBLED)
async def test_garbage(backend: NativeBackend, data: bytes) -> None:
    """An answer that could be read in two ways is none; the connection is closed, and the next request has its own."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK if peer.number == 2 else data)
        if peer.number == 1:
            await peer.drain_all()
            peer.server.requests.append(b"closed by the client")

    async with hostile(script) as server:
        failure = await server.fails(backend)
        assert (failure.kind, failure.bytes_sent) == (FailureKind.PROTOCOL_ERROR, len(server.wire()))
        assert "secret" not in str(failure)
        await seen(lambda: len(server.requests) == 2)
        assert (await server.post(backend)).body == b"{}"
        assert server.connections == 2


@pytest.mark.parametrize("stage", ["accepted", "part of the head", "whole head", "part of the body", "whole request"])
@pytest.mark.parametrize("ending", ["reset", "close"])
async def test_broken_off_while_it_reads(backend: NativeBackend, stage: str, ending: str) -> None:
    """A server that goes away before it answered may have acted: never called unsent when anything left."""

    async def script(peer: Peer) -> None:
        wire = len(peer.server.wire())
        size = {"accepted": 0, "part of the head": 20, "whole head": wire - 2, "part of the body": wire - 1}
        await peer.read(size.get(stage, wire))
        getattr(peer, ending)()

    async with hostile(script) as server:
        failure = await server.fails(backend)
        assert failure.kind is FailureKind.CONNECTION_LOST
        assert failure.bytes_sent in ({0, len(server.wire())} if stage == "accepted" else {len(server.wire())})
        assert idle(backend) == 0


@pytest.mark.parametrize("ending", mostly_long(["reset", "close", "half_close"]))
@named(WHOLE)
async def test_broken_off_while_it_answers(backend: NativeBackend, data: bytes, ending: str) -> None:
    """Part of an answer is none, at whatever byte it ends and however."""

    async def script(peer: Peer) -> None:
        cut = int(await peer.read_request())
        await peer.send(data[:cut])
        getattr(peer, ending)()
        if ending == "half_close":
            await peer.drain_all()

    async with hostile(script) as server:
        for cut in range(0, len(data), 5):
            failure = await server.fails(backend, b"%d" % cut)
            assert (failure.kind, failure.sent) == (FailureKind.CONNECTION_LOST, True)
        assert len(server.requests) == server.connections == len(range(0, len(data), 5))


@pytest.mark.parametrize("ending", ["reset", "close", "half_close"])
async def test_an_early_answer(backend: NativeBackend, ending: str) -> None:
    """A refusal that comes before the request was all read is the answer, even if the connection breaks behind it."""
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    async def script(peer: Peer) -> None:
        await peer.read(100)
        await peer.send(refusal)
        getattr(peer, ending)()
        if ending == "half_close":
            await peer.drain_all()

    async with hostile(script) as server:
        for _ in range(20):
            answer = await server.post(backend, BIG)
            assert (answer.status_code, answer.body) == (413, b"no")
            assert idle(backend) == 0
        assert server.connections == 20


async def test_an_early_answer_to_a_request_of_which_all_left(backend: NativeBackend) -> None:
    """An answer that came while the server was still reading, then RST: the answer counts."""

    async def script(peer: Peer) -> None:
        await peer.read(10)
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        peer.close()  # with unread bytes: the kernel sends RST

    async with hostile(script) as server:
        for _ in range(20):
            assert (await server.post(backend)).status_code == 413


@pytest.mark.inside_asyncio
async def test_an_early_answer_that_asyncio_would_throw_away(backend: NativeBackend) -> None:
    """Where the next write fails before the answer was read, it is read from what the kernel still holds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        request = HttpRequest(RequestTemplate.of(f"http://127.0.0.1:{port}/", ()), BIG)
        task = asyncio.create_task(backend.exchange(request, timeout=10, max_bytes=10))
        await seen(
            lambda: backend.is_open and next(iter(backend._last.pools[False, "127.0.0.1", port].connections))._paused
        )
        (connection,) = backend._last.pools[False, "127.0.0.1", port].connections
        with listener.accept()[0] as peer:  # and closing it with unread bytes is a reset
            peer.recv(100)
            peer.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        connection._transport._write_ready()  # as if the event loop had looked at writing first
        assert (await task).status_code == 413


async def test_an_early_half_of_an_answer(backend: NativeBackend) -> None:
    """Half a refusal before the connection breaks is no answer."""

    async def script(peer: Peer) -> None:
        await peer.read(100)
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 20\r\n\r\nno")
        peer.reset()

    async with hostile(script) as server:
        failure = await server.fails(backend, BIG)
        assert (failure.kind, failure.sent) == (FailureKind.CONNECTION_LOST, True)


@pytest.mark.parametrize("more", [b"X", OK, b"HTTP/1.1 200 OK\r\n"])
async def test_more_than_one_answer(backend: NativeBackend, more: bytes) -> None:
    """The first answer counts; the second, in the same packet, is not taken for the next request's."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK.replace(b"{}", b"%02d" % peer.number) + more)
        await peer.drain_all()

    async with hostile(script) as server:
        for number in range(1, 4):
            assert (await server.post(backend)).body == b"%02d" % number
        assert server.connections == 3


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (LINE + b"content-length: 2000\r\n\r\n" + bytes(2000), FailureKind.TOO_LARGE),
        (LINE + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n{}", FailureKind.ENCODING),
        (LINE + b"X: " + b"y" * 4 * MAX_HEAD, FailureKind.TOO_LARGE),
        (LINE + b"X: y\r\n" * MAX_HEAD, FailureKind.TOO_LARGE),
    ],
    ids=["body", "encoding", "a field", "fields"],
)
async def test_limits(backend: NativeBackend, data: bytes, kind: FailureKind) -> None:
    """What is too large or cannot be read ends the exchange as soon as that is known; the connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.answer(data)
        await peer.drain_all()

    async with hostile(script) as server:
        failure = await server.fails(backend, max_bytes=1000)
        assert (failure.kind, failure.sent) == (kind, True)
        assert idle(backend) == 0


# ------------------------------------------------------------------------------------------------------------ time


@pytest.mark.parametrize("stage", ["nothing", "a request", "half an answer", "drip"])
async def test_a_server_that_takes_its_time(backend: NativeBackend, stage: str) -> None:
    """The time is for everything, however busy the server seems; the connection is closed."""

    async def script(peer: Peer) -> None:
        if stage == "nothing":
            await peer.hang()
        await peer.read_request()
        if stage == "half an answer":
            await peer.send(OK[:-1])
        for byte in b"HTTP/1.1 100 Continue\r\n\r\n" * 10 if stage == "drip" else b"":
            await asyncio.sleep(0.005)
            await peer.send(bytes([byte]))
        await peer.hang()

    async with hostile(script) as server:
        began = asyncio.get_running_loop().time()
        failure = await server.fails(backend, timeout=0.1)
        assert failure.kind is FailureKind.TIMEOUT
        assert failure.bytes_sent == len(server.wire())
        assert asyncio.get_running_loop().time() - began < 1.5
        assert idle(backend) == 0


@pytest.mark.parametrize("timeout", [0.0, -1.0])
async def test_no_time_at_all(backend: NativeBackend, timeout: float) -> None:
    """Where no time is left, nothing is opened and nothing sent."""

    async def script(peer: Peer) -> None:
        await peer.hang()

    async with hostile(script) as server:
        failure = await server.fails(backend, timeout=timeout)
        assert (failure.kind, failure.bytes_sent, server.connections) == (FailureKind.TIMEOUT, 0, 0)


async def test_the_alarm_serves_all(backend: NativeBackend) -> None:
    """Exchanges of different lengths end each in its own time, with one timer between them."""

    async def script(peer: Peer) -> None:
        await peer.hang()

    async def timed(server: Any, timeout: float) -> float:
        began = asyncio.get_running_loop().time()
        assert (await server.fails(backend, timeout=timeout)).kind is FailureKind.TIMEOUT
        return asyncio.get_running_loop().time() - began - timeout

    async with hostile(script) as server:
        late = await asyncio.gather(*(timed(server, timeout) for timeout in (0.3, 0.1, 0.2, 0.15)))
        assert all(-0.01 < lateness < 1.0 for lateness in late)


# ---------------------------------------------------------------------------------------------------- counted bytes


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000, 8_000_000])
async def test_the_bytes_that_left(backend: NativeBackend, size: int) -> None:
    """What the connection says has left is what the server finds in its socket, to the byte, whatever it had read by then."""
    body = b"x" * size

    async def script(peer: Peer) -> None:
        await peer.read(10)
        await seen(lambda: peer.server.requests)
        await peer.drain_all()
        peer.server.requests.append(b"drained")

    async with hostile(script) as server:
        failure = await server.fails(backend, body, timeout=0.2)
        assert failure.kind is FailureKind.TIMEOUT
        server.requests.append(b"go on")
        await seen(lambda: len(server.requests) == 2)
        assert failure.bytes_sent == server.bytes_read
        assert (failure.bytes_sent == len(server.wire(body))) == (size < 8_000_000)


async def test_a_write_that_the_kernel_refuses(backend: NativeBackend) -> None:
    """A connection that breaks between the look and the write: nothing was taken, and that is proved."""

    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.answer()

    async with hostile(script) as server:
        await server.post(backend)
        (connection,) = backend._last.pools[False, "127.0.0.1", server.port].connections
        with connection._transport.get_extra_info("socket").dup() as copy:
            copy.shutdown(socket.SHUT_WR)  # the next write is refused: EPIPE
        failure = await server.fails(backend)
        assert (failure.kind, failure.sent, failure.bytes_sent) == (FailureKind.CONNECTION_LOST, False, 0)
        assert server.requests == [b"{}"]
        assert (await server.post(backend)).body == b"{}"


async def test_a_lane_that_breaks_with_bytes_in_its_buffer(backend: NativeBackend) -> None:
    """The count is lost with the buffer, so nothing is claimed: something may have left."""

    async def script(peer: Peer) -> None:
        await peer.read(100)
        peer.reset()

    async with hostile(script) as server:
        failure = await server.fails(backend, BIG)
        assert failure.sent
        assert failure.bytes_sent is None or 100 <= failure.bytes_sent < len(BIG)


# ------------------------------------------------------------------------------------------------------- no connection


async def test_a_refused_connection(backend: NativeBackend) -> None:
    """Nobody listens: not sent."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        request = HttpRequest(RequestTemplate.of(f"http://127.0.0.1:{sock.getsockname()[1]}/", ()), b"{}")
        with pytest.raises(Exception, match="CONNECT") as caught:
            await backend.exchange(request, timeout=5, max_bytes=10)
    assert (caught.value.kind, caught.value.bytes_sent) == (FailureKind.CONNECT, 0)
    assert "0 open" in repr(backend)


async def test_a_connection_that_is_not_accepted(backend: NativeBackend) -> None:
    """A SYN that nobody answers costs the exchange's time, no more: not sent."""
    with socket.socket() as sock, socket.socket() as first, socket.socket() as second:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for filler in (first, second):  # fill the backlog: Linux then drops further SYNs
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        request = HttpRequest(RequestTemplate.of(f"http://127.0.0.1:{sock.getsockname()[1]}/", ()), b"{}")
        with pytest.raises(Exception, match="TIMEOUT") as caught:
            await backend.exchange(request, timeout=0.2, max_bytes=10)
    assert (caught.value.kind, caught.value.bytes_sent) == (FailureKind.TIMEOUT, 0)


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 64 + ".invalid", "a..b"])
async def test_a_name_without_an_address(backend: NativeBackend, host: str) -> None:
    """A host that cannot be found, or cannot be: not sent."""
    request = HttpRequest(RequestTemplate.of(f"http://{host}/", ()), b"{}")
    with pytest.raises(Exception, match=r"CONNECT|BAD_URL") as caught:
        await backend.exchange(request, timeout=5, max_bytes=10)
    assert caught.value.bytes_sent == 0


async def test_small_packets_are_not_held_back(backend: NativeBackend) -> None:
    """Nagle's algorithm is off (RFC 896): a request's last packet does not wait for an acknowledgement."""

    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.hang()

    async with hostile(script) as server:
        await server.post(backend)
        (connection,) = backend._last.pools[False, "127.0.0.1", server.port].connections
        assert connection._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
