"""Cancelled at each await: the connection is closed, nothing is left open, the next request gets its own answer."""

from __future__ import annotations

import asyncio
import ssl

import anyio
import pytest

from callsavvy_async.transport.native.backend import NativeBackend

from .hostile import OK, Hostile, Peer, hostile, seen

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

LARGE = b"x" * 8_000_000
STAGES = ("connecting", "writing", "waiting for the answer", "in the answer's head", "in the answer's body")


async def stop_at(stage: str, peer: Peer) -> None:
    """Go so far, then hang once; afterwards answer properly."""
    if peer.number > 1:
        while True:
            await peer.answer(OK.replace(b"{}", b"%02d" % peer.number))
    match stage:
        case "writing":
            await peer.read(1000)
        case "waiting for the answer":
            await peer.read_request()
        case "in the answer's head":
            await peer.answer(OK[:20])
        case "in the answer's body":
            await peer.answer(OK[:-1])
        case _:
            pass
    for _ in range(5):
        await asyncio.sleep(0)
    peer.server.heads.append(b"stopped")
    await peer.drain_all()
    peer.server.heads.append(b"closed")


@pytest.mark.parametrize("how", ["task", "scope"])
@pytest.mark.parametrize("stage", STAGES)
async def test_cancelled(backend: NativeBackend, stage: str, how: str) -> None:
    """CancelledError passes; the server sees the connection end; what it may still say is nobody's answer."""

    async def script(peer: Peer) -> None:
        await stop_at(stage, peer)

    async with hostile(script) as server:
        body = LARGE if stage == "writing" else b"{}"
        if how == "task":
            task = asyncio.create_task(server.post(backend, body))
            await seen(lambda: stage == "connecting" or b"stopped" in server.heads)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(server.post, backend, body)
                    await seen(lambda: stage == "connecting" or b"stopped" in server.heads)
                    scope.cancel()
            assert scope.cancelled_caught
        assert not backend.is_open
        if stage != "connecting":
            await seen(lambda: b"closed" in server.heads)
            assert (await server.post(backend)).body == b"02"


@pytest.mark.parametrize("turns", range(12))
async def test_cancelled_after_so_many_turns(backend: NativeBackend, turns: int) -> None:
    """At whatever turn of the event loop, also when the answer is there already and not yet taken."""

    async def script(peer: Peer) -> None:
        while True:
            body = await peer.read_request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with hostile(script) as server:
        for warm in (False, True):
            if warm:
                await server.post(backend, b"warm")
            task = asyncio.create_task(server.post(backend, b"cancelled"))
            for _ in range(turns):
                await asyncio.sleep(0)
            done = task.done()
            task.cancel()
            if not done:
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not backend.is_open or turns == 0  # where it had not begun
            assert (await server.post(backend, b"next")).body == b"next"


async def test_cancelled_while_it_shakes_hands(client_tls: ssl.SSLContext) -> None:
    """A handshake that is given up leaves no connection behind."""
    backend = NativeBackend(verify=client_tls)

    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.server.heads.append(b"hello")
        await peer.drain_all()
        peer.server.heads.append(b"closed")

    async with hostile(script) as server:
        server.secure = True
        task = asyncio.create_task(server.post(backend))
        await seen(lambda: server.heads)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not backend.is_open
        await seen(lambda: b"closed" in server.heads)
        await backend.aclose()


async def test_many_cancelled_at_random(backend: NativeBackend) -> None:
    """Under load, with every third cancelled, each of the others gets its own answer and nothing leaks."""

    async def script(peer: Peer) -> None:
        while True:
            body = await peer.read_request()
            for _ in range(int(body) % 5):
                await asyncio.sleep(0)
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body), at=(20,))

    async def one(server: Hostile, number: int) -> None:
        task = asyncio.create_task(server.post(backend, b"%d" % number))
        for _ in range(number % 17):
            await asyncio.sleep(0)
        if number % 3 == 0:
            task.cancel()
        try:
            assert (await task).body == b"%d" % number
        except asyncio.CancelledError:
            assert number % 3 == 0

    async with hostile(script) as server:
        for start in range(0, 400, 40):
            await asyncio.gather(*(one(server, number) for number in range(start, start + 40)))
        pool = backend._last.pools[False, "127.0.0.1", server.port]
        assert len(pool.connections) == len(pool.idle)
        assert pool._free_slots + len(pool.connections) == 256
