"""Which connection is taken, who waits for one, what becomes of idle ones, and that all are closed in the end."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from callsavvy_async.transport.native import pool as native_pool
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.transport.native.connection import Connection, ConnectionState
from callsavvy_async.transport.native.pool import ConnectionPool, PoolTimeoutError
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from tests.profiles import mostly_long, sized

from .hostile import OK, Hostile, Peer, descriptors, hostile, seen

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


async def echo(peer: Peer) -> None:
    """Answer every request with its own body."""
    while True:
        body = await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def pool_of(backend: NativeBackend, server: Hostile) -> ConnectionPool:
    return backend._last.pools[server.secure, "127.0.0.1", server.port]


# ------------------------------------------------------------------------------------------------------ which is taken


async def test_one_after_the_other(backend: NativeBackend) -> None:
    """Exchanges one after the other share a connection."""
    async with hostile(echo) as server:
        for number in range(100):
            assert (await server.post(backend, b"%d" % number)).body == b"%d" % number
        assert server.connections == 1
        assert repr(backend) == "native (1 open, 1 idle)"


async def test_side_by_side(backend: NativeBackend) -> None:
    """Exchanges side by side have a connection each, and each gets its own answer."""
    async with hostile(echo) as server:
        for _ in range(5):
            bodies = [b"%d" % number for number in range(50)]
            answers = await asyncio.gather(*(server.post(backend, body) for body in bodies))
            assert [answer.body for answer in answers] == bodies
        assert server.connections == 50


async def test_the_lane_used_last_is_taken_first(backend: NativeBackend) -> None:
    """So that those that are not needed grow old, and the one most likely to be alive is used."""
    async with hostile(echo) as server:
        await asyncio.gather(*(server.post(backend) for _ in range(3)))
        pool = pool_of(backend, server)
        last = list(pool.idle)[-1]
        await server.post(backend)
        assert list(pool.idle)[-1] is last


async def test_lanes_of_two_servers(backend: NativeBackend) -> None:
    """A connection goes to one server only."""
    async with hostile(echo) as one, hostile(echo) as other:
        for server in (one, other, one, other):
            await server.post(backend)
        assert (one.connections, other.connections) == (1, 1)


# ------------------------------------------------------------------------------------------------------ closed while idle


@pytest.mark.parametrize("answers", mostly_long([1, 2, 3, 4, 5]))
@pytest.mark.parametrize("notice", mostly_long(["loop", "kernel"]))
async def test_a_server_that_closes_after_some_answers(backend: NativeBackend, answers: int, notice: str) -> None:
    """EOF on an idle connection is noticed before writing, by the event loop or by asking the kernel: no request is lost."""
    closed, requests = 0, sized(1000, quick=300)

    async def script(peer: Peer) -> None:
        nonlocal closed
        for _ in range(answers):
            await peer.answer()
        peer.close()
        closed += 1

    async with hostile(script) as server:
        for number in range(requests):
            assert (await server.post(backend)).body == b"{}"
            if notice == "loop":
                await seen(lambda number=number: (number + 1) % answers or not backend.is_open)
            else:
                await seen(lambda expected=(number + 1) // answers: closed == expected)
        assert server.connections == -(-requests // answers)


@pytest.mark.parametrize("notice", ["loop", "kernel"])
async def test_garbage_on_an_idle_connection(backend: NativeBackend, notice: str) -> None:
    """Bytes that nobody asked for close the connection, whether the loop read them or not: they are no answer to what comes."""
    async with hostile(echo) as server:
        for number in range(20):
            assert (await server.post(backend, b"%d" % number)).body == b"%d" % number
            server.peers[-1].writer.write(OK)
            if notice == "loop":
                await seen(lambda: not backend.is_open)
        assert server.connections == 20


async def test_the_kernel_is_asked_before_writing(backend: NativeBackend) -> None:
    """An EOF that is in the kernel but not yet in the event loop is found; the connection's place is free for another."""

    async def script(peer: Peer) -> None:
        await peer.answer()

    async with hostile(script) as server:
        await server.post(backend)
        pool = pool_of(backend, server)
        (connection,) = pool.idle
        await seen(connection.is_readable)  # each turn of the loop would also let it notice
        assert (connection.state is ConnectionState.IDLE) == bool(pool.idle)
        if pool.idle:
            assert pool.take() is None
        assert not pool.connections


async def test_idle_lanes_expire(backend: NativeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody had a use for is closed after a while, those that are used are not; one timer serves all."""
    monkeypatch.setattr(native_pool, "KEEPALIVE_EXPIRY", 0.1)
    async with hostile(echo) as server:
        await asyncio.gather(*(server.post(backend) for _ in range(5)))
        assert repr(backend) == "native (5 open, 5 idle)"
        async with asyncio.timeout(10):
            while len(pool_of(backend, server).connections) > 1:
                await server.post(backend)
        await seen(lambda: not backend.is_open)
        assert server.connections == 5
        assert pool_of(backend, server)._alarm is None


# ------------------------------------------------------------------------------------------------------------ the queue


@pytest.mark.parametrize("most", [1, 3])
async def test_no_more_connections_than_allowed(most: int) -> None:
    """Who finds all connections taken waits, and is served in turn; several connections race to the server."""
    backend = NativeBackend(max_connections=most)
    async with hostile(echo) as server:
        bodies = [b"%d" % number for number in range(40)]
        answers = await asyncio.gather(*(server.post(backend, body) for body in bodies))
        assert [answer.body for answer in answers] == bodies
        assert server.connections == most
        assert most > 1 or server.requests == bodies
        await backend.aclose()


async def test_the_queue_is_bounded() -> None:
    """Where too many wait already, it is said at once: not sent."""
    backend = NativeBackend(max_connections=1, max_waiting=1)

    async def script(peer: Peer) -> None:
        await peer.hang()

    async with hostile(script) as server:
        hanging = asyncio.create_task(server.post(backend, timeout=60))
        await seen(lambda: server.connections)
        tasks = [asyncio.create_task(server.fails(backend, timeout=0.2)) for _ in range(2)]
        failures = await asyncio.gather(*tasks)
        assert [failure.bytes_sent for failure in failures] == [0, 0]
        assert [type(failure) for failure in failures] == [PoolTimeoutError, PoolTimeoutError]
        assert {failure.kind for failure in failures} == {FailureKind.TIMEOUT}
        assert failures[1].detail == "too many requests wait for a connection"
        hanging.cancel()
        await asyncio.wait([hanging])
        await backend.aclose()


async def test_a_place_that_comes_free_goes_to_the_first() -> None:
    """A connection that is closed after its answer, or could not be opened, leaves its place to who waits."""
    backend = NativeBackend(max_connections=1)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        if peer.number % 3 == 0:
            peer.reset()
        else:
            await peer.send(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

    async with hostile(script) as server:
        results = await asyncio.gather(*(server.post(backend, b"%d" % n) for n in range(9)), return_exceptions=True)
        assert [isinstance(result, ExchangeFailedError) for result in results] == [False, False, True] * 3
        assert server.requests == [b"%d" % number for number in range(9)]
    failures = await asyncio.gather(*(server.fails(backend) for _ in range(9)))  # nobody listens any more
    assert {failure.kind for failure in failures} == {FailureKind.CONNECT}
    assert pool_of(backend, server)._free_slots == 1
    await backend.aclose()


async def test_waiting_is_given_up() -> None:
    """A cancelled waiter leaves the queue; a connection that came to it at the same moment goes on to the next."""
    backend = NativeBackend(max_connections=1)
    async with hostile(echo) as server:
        await server.post(backend)
        pool = pool_of(backend, server)
        for give_up in ("before", "just before", "at the same moment"):
            connection = pool.take()
            assert connection is not None
            waiting = [asyncio.create_task(server.post(backend, b"%d" % number)) for number in range(3)]
            await seen(lambda: len(pool._queue) == 3)
            if give_up == "before":
                waiting[0].cancel()
                await seen(lambda: len(pool._queue) == 2)
                pool.release(connection)
            elif give_up == "just before":  # its coroutine has not run since: it still stands in the queue
                waiting[0].cancel()
                pool.release(connection)
            else:
                pool.release(connection)
                waiting[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting[0]
            assert [(await task).body for task in waiting[1:]] == [b"1", b"2"]
        assert server.connections == 1
        assert (pool._free_slots, len(pool.connections)) == (0, 1)
        await backend.aclose()


async def test_the_place_of_a_lane_when_who_waits_was_just_cancelled() -> None:
    """It is kept: closing a connection passes by who was cancelled, and no answer is lost on the way."""
    backend = NativeBackend(max_connections=1)
    async with hostile(echo) as server:
        await server.post(backend)
        pool = pool_of(backend, server)
        connection = pool.take()
        assert connection is not None
        waiting = asyncio.create_task(server.post(backend, b"1"))
        await seen(lambda: pool._queue)
        waiting.cancel()
        connection.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (pool._free_slots, len(pool.connections), len(pool._queue)) == (1, 0, 0)
        assert (await server.post(backend, b"2")).body == b"2"
        await backend.aclose()


async def test_a_lane_that_dies_on_its_way_to_who_waits() -> None:
    """It is not used; another is opened in its place."""
    backend = NativeBackend(max_connections=1)
    async with hostile(echo) as server:
        await server.post(backend)
        pool = pool_of(backend, server)
        connection = pool.take()
        assert connection is not None
        waiting = asyncio.create_task(server.post(backend, b"1"))
        await seen(lambda: pool._queue)
        pool.release(connection)
        connection.close()
        assert (await waiting).body == b"1"
        assert server.connections == 2
        await backend.aclose()


# -------------------------------------------------------------------------------------------------------------- closing


async def test_closing_while_an_exchange_is_under_way(backend: NativeBackend) -> None:
    """The exchange gets its answer, and its connection is closed behind it; idle connections are closed at once."""

    async def script(peer: Peer) -> None:
        while True:
            body = await peer.read_request()
            if body == b"slow":
                await seen(lambda: b"go on" in peer.server.requests)
            await peer.send(OK)

    async with hostile(script) as server:
        await asyncio.gather(server.post(backend), server.post(backend))
        slow = asyncio.create_task(server.post(backend, b"slow"))
        await seen(lambda: b"slow" in server.requests)
        pool = pool_of(backend, server)
        await backend.aclose()
        assert (len(pool.connections), len(pool.idle)) == (1, 0)
        server.requests.append(b"go on")
        assert (await slow).body == b"{}"
        assert not pool.connections
        assert (await server.post(backend)).body == b"{}"  # and it may be used anew
        await backend.aclose()
        await backend.aclose()


@pytest.mark.long
def test_several_runs() -> None:
    """One backend serves several event loops one after the other; each closes what it opened, without a warning."""
    backend = NativeBackend()
    before = descriptors()

    async def run() -> None:
        async with hostile(echo) as server:
            await asyncio.gather(*(server.post(backend) for _ in range(5)))
            assert repr(backend) == "native (5 open, 5 idle)"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(run())
            assert not backend.is_open
            assert repr(backend) == "native (0 open, 0 idle)"
            gc.collect()
            assert descriptors() <= before


@pytest.mark.long
def test_a_run_that_ends_in_the_middle() -> None:
    """Exchanges, waits and handshakes that the end of a run cancels leave nothing open."""
    backend = NativeBackend(max_connections=2)
    before = descriptors()

    async def script(peer: Peer) -> None:
        await peer.hang()

    async def run() -> None:
        async with hostile(script) as server:
            tasks.extend(asyncio.create_task(server.post(backend)) for _ in range(5))
            await seen(lambda: len(server.peers) == 2)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            tasks: list[asyncio.Task[object]] = []
            asyncio.run(run())
            assert all(task.cancelled() or task.exception() for task in tasks)
            gc.collect()
            assert descriptors() <= before


def test_a_loop_that_was_closed_without_its_generators() -> None:
    """Connections of a loop that nobody ended properly are forgotten when the next loop comes."""
    backend = NativeBackend()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with hostile(echo) as server:
            await server.post(backend)
            (connection,) = pool_of(backend, server).connections
            connection._transport.close()  # so that asyncio does not warn here

    loop.run_until_complete(run())
    loop.close()
    asyncio.run(run())
    assert loop not in backend._loops


@pytest.mark.long
async def test_a_backend_that_is_dropped(anyio_backend: str) -> None:
    """Its connections are closed when they expire, without warnings of their own."""
    async with hostile(echo) as server:
        backend = NativeBackend()
        await server.post(backend)
        pool = pool_of(backend, server)
        for connection in pool.connections:
            connection.expires_at = 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del backend
            gc.collect()
            pool._on_alarm()
            await asyncio.sleep(0)
            gc.collect()
        assert not pool.connections


async def test_a_closed_lane_stays_closed(backend: NativeBackend) -> None:
    """Closing twice, or expiring what is closed, does nothing."""
    closed: list[Connection] = []
    async with hostile(echo) as server:
        await server.post(backend)
        pool = pool_of(backend, server)
        connection = pool.take()
        assert connection is not None
        connection._on_closed = closed.append
        connection.close()
        connection.close()
        connection.expire()
        assert closed == [connection]
        pool.connections.clear()
