"""The SDK's own backend over real sockets: connections, time-outs, closing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
import trio

from callsavvy_async import AnswerTooLargeError, Callsavvy, ConnectError, DecodeError, OutcomeUnknown, Unlimited
from callsavvy_async.errors import AttemptTimeoutError, NotSentError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.backends.httpx import LanesBackend
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.target import Target

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

NUMBER = "+2348012345678"


def client_of(server: SimulatorServer, **options: Any) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, pacing=Unlimited(), **options)


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


async def test_a_gzip_bomb_is_cut_off(server: SimulatorServer, sim: Simulator) -> None:
    """A bomb costs no more memory than max_response_bytes."""
    sim.faults.next("getSummary", Fault.GZIP_BOMB.but(size=20 * 2**20))
    async with client_of(server, max_response_bytes=10_000) as client:
        with pytest.raises(AnswerTooLargeError, match="more than 10000 bytes"):
            await client.account.summary()


async def test_nobody_listens() -> None:
    """A refused connection is NOT_SENT and a ConnectError."""
    with listener(None) as port:
        pass
    async with Callsavvy(
        public_key="p", private_key="q", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0
    ) as client:
        with pytest.raises(ConnectError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


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


async def test_an_answer_that_is_cut_after_its_head() -> None:
    """An answer without its body is no answer."""

    def answer(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")

    with listener(answer) as port:
        async with Callsavvy(public_key="p", private_key="q", base_url=f"http://127.0.0.1:{port}/v1") as client:
            with pytest.raises(OutcomeUnknown):
                await client.messaging.send_sms(NUMBER, "Hi")


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


async def test_a_cancelled_exchange_gives_its_connection_up(server: SimulatorServer, sim: Simulator) -> None:
    """After a cancellation the next call does not read the old call's answer."""
    sim.faults.next("getSummary", Fault.HANG)
    async with client_of(server) as client:
        with anyio.move_on_after(0.05):
            await client.account.summary()
        assert await client.account.departments()
    assert server.connections == 2


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


async def test_a_leaked_client_warns(server: SimulatorServer) -> None:
    """A client that is dropped while its connections are open says so; one that was closed, or never used, does not."""
    client = client_of(server)
    await client.account.summary()
    backend = client._transport.shared.backend
    holder = [client]
    del client
    with pytest.warns(ResourceWarning, match="unclosed Callsavvy client"):
        holder.clear()
    await backend.aclose()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unused = client_of(server)
        async with client_of(server) as closed:
            await closed.account.summary()
        del unused, closed


async def test_two_clients_share_nothing(server: SimulatorServer, sim: Simulator) -> None:
    """Two clients in one event loop have connections of their own, by whatever anyio tells run variables apart."""
    async with client_of(server) as one, client_of(server) as other:
        await one.account.summary()
        await other.account.summary()
        assert server.connections == 2
        names = [client._transport.shared.backend._lanes._name for client in (one, other)]
        assert names[0] != names[1]


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
        await backend.exchange(HttpRequest(Target.of(url, ()), b"{}"), timeout=5, max_bytes=10)


async def test_a_success_that_is_no_json_keeps_its_bytes(server: SimulatorServer, sim: Simulator) -> None:
    """The raw answer is on the error, for who wants to look."""
    sim.faults.next("getSummary", Fault.HTML_ANSWER)
    async with client_of(server) as client:
        with pytest.raises(DecodeError) as caught:
            await client.account.summary()
    assert b"<html>" in (caught.value.body or b"")
