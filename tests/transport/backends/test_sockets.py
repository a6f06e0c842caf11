"""What every backend holds over real sockets: connections, time-outs, bounded answers, closing."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import logging
import pickle
import socket
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from callsavvy_async import (
    Callsavvy,
    ConnectError,
    DecodeError,
    OutcomeUnknownError,
    RequestError,
    ResponseTooLargeError,
    Unlimited,
)
from callsavvy_async.errors import NotSentError, RequestTimeoutError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.backends.choose import BackendName
from tests.profiles import mostly_long

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, pytest.mark.every_backend]

NUMBER = "+2348012345678"
TEXT = "Nobody but you may read this"
MEBIBYTE = 2**20


@pytest.fixture
def client_of(backend: BackendName) -> Callable[..., Callsavvy]:
    """Make clients of a server, or of a URL."""

    def make(server: SimulatorServer | str, **options: Any) -> Callsavvy:
        url = server if isinstance(server, str) else server.url
        settings = {"pacing": Unlimited(), "backend": backend, **options}
        return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, **settings)

    return make


Make = Callable[..., Callsavvy]


@contextmanager
def listener(answer: Callable[[socket.socket], None] | None, scheme: str = "http") -> Iterator[str]:
    """Listen on a loopback port and treat one connection in a thread; with None nobody ever accepts. Gives the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = None
        if answer is not None:

            def serve_one() -> None:
                connection, _ = listening.accept()
                with connection:
                    answer(connection)

            thread = threading.Thread(target=serve_one, daemon=True)
            thread.start()
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/v1"
        if thread is not None:
            thread.join(5)


@pytest.mark.every_backend(1)
async def test_a_slow_drip_does_not_outlast_the_timeout(
    server: SimulatorServer, sim: Simulator, client_of: Make
) -> None:
    """The timeout is for the whole answer, not for each of its bytes, of which the last would come after minutes."""
    sim.faults.rule(Fault.SLOW_DRIP.but(size=1, seconds=0.15))
    async with client_of(server, timeout=0.5, max_retries=0) as client:
        began = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            await client.account.summary()
        assert time.monotonic() - began < 20
    assert len(sim.requests) == 1


@pytest.mark.every_backend(1)
async def test_a_hang_does_not_outlast_the_timeout(server: SimulatorServer, sim: Simulator, client_of: Make) -> None:
    """A server that says nothing is given up after the timeout, and a deadline that is nearer goes first."""
    sim.faults.rule(Fault.HANG)
    async with client_of(server, max_retries=0) as client:
        for limits in ({"timeout": 0.3, "deadline": 60}, {"timeout": 60, "deadline": 0.3}):
            began = time.monotonic()
            with pytest.raises(OutcomeUnknownError):
                await client.messaging.send_sms(NUMBER, "Hi", **limits)
            assert time.monotonic() - began < 20


@pytest.mark.every_backend(1)
async def test_a_server_that_never_accepts(client_of: Make) -> None:
    """A time-out before the body was asked for is NOT_SENT; once it was handed to the kernel it is UNKNOWN."""
    with listener(None) as url:
        async with client_of(url, timeout=0.4, max_retries=0) as client:
            with pytest.raises(OutcomeUnknownError):  # the kernel completed the handshake and took the bytes
                await client.messaging.send_sms(NUMBER, "Hi")
    with listener(None, "https") as url:
        async with client_of(url, timeout=0.4, max_retries=0, verify=False) as client:
            with pytest.raises(ConnectError) as caught:  # no TLS handshake: nothing left
                await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


@pytest.mark.every_backend(1)
@pytest.mark.parametrize(
    "fault",
    [Fault.HUGE_BODY.but(size=100 * MEBIBYTE), Fault.GZIP_BOMB.but(size=100 * MEBIBYTE)],
    ids=str,
)
async def test_an_answer_of_any_size_costs_bounded_memory(
    fault: Fault, server: SimulatorServer, sim: Simulator, client_of: Make
) -> None:
    """100 MiB, plain or as a bomb, cost no more memory than max_response_bytes and some buffers."""
    sim.faults.next("getSummary", fault)
    async with client_of(server, max_response_bytes=MEBIBYTE) as client:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError, match="too large"):
                await client.account.summary()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert await client.account.departments()  # and the next call does not read the rest of it
    assert peak < 16 * MEBIBYTE


async def test_nobody_listens(client_of: Make) -> None:
    """A refused connection is NOT_SENT and a ConnectError."""
    with listener(None) as url:
        pass
    async with client_of(url, max_retries=0) as client:
        with pytest.raises(ConnectError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


async def test_tls_that_is_none(client_of: Make) -> None:
    """A TLS handshake that fails is NOT_SENT: no byte of the request left."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listener(answer, "https") as url:
        async with client_of(url, max_retries=0, verify=False) as client:
            with pytest.raises(NotSentError) as caught:
                await client.messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend


async def test_an_answer_that_is_cut_after_its_head(client_of: Make) -> None:
    """An answer without its body is no answer."""

    def answer(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")

    with listener(answer) as url:
        async with client_of(url) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.messaging.send_sms(NUMBER, "Hi")


async def test_connections_are_reused(server: SimulatorServer, client_of: Make) -> None:
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


async def test_a_connection_that_the_server_closed_is_not_used(
    server: SimulatorServer, sim: Simulator, client_of: Make
) -> None:
    """EOF on an idle connection is noticed before writing: a paid call then goes out once, on a new one."""
    sim.faults.next("getSummary", Fault.CLOSE_AFTER_RESPONSE)
    async with client_of(server) as client:
        await client.account.summary()
        while server._open:  # noqa: ASYNC110 - another thread ends it
            await anyio.sleep(0.005)
        await anyio.sleep(0.05)  # a turn of the event loop, which sees the FIN
        await client.messaging.send_sms(NUMBER, "Hi")
    assert server.connections == 2
    assert sim.ledger.charged_count(NUMBER) == 1


async def test_a_cancelled_exchange_gives_its_connection_up(
    server: SimulatorServer, sim: Simulator, client_of: Make
) -> None:
    """After a cancellation the next call does not read the old call's answer."""
    sim.faults.next("getSummary", Fault.HANG)
    async with client_of(server) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.account.summary)
            while not sim.requests:  # noqa: ASYNC110 - another thread notes it
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
        assert await client.account.departments()
    assert server.connections == 2


async def test_closing(server: SimulatorServer, client_of: Make) -> None:
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


async def test_closing_while_a_call_is_under_way(server: SimulatorServer, sim: Simulator, client_of: Make) -> None:
    """The call in flight is not told a lie: it gets its answer, or does not know; and nothing stays open behind it."""
    sim.latency = 0.1
    client = client_of(server)

    async def send() -> None:
        with contextlib.suppress(OutcomeUnknownError):
            await client.messaging.send_sms(NUMBER, "Hi")

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        with anyio.fail_after(60):
            while not sim.requests:
                await anyio.lowlevel.checkpoint()
        await client.aclose()
    assert not client._transport.shared.backend.is_open
    assert len(sim.requests) == 1


async def test_a_leaked_client_warns(server: SimulatorServer, client_of: Make) -> None:
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


async def test_two_clients_share_nothing(server: SimulatorServer, client_of: Make) -> None:
    """Two clients in one event loop have connections of their own."""
    async with client_of(server) as one, client_of(server) as other:
        await one.account.summary()
        await other.account.summary()
        assert server.connections == 2


async def test_a_success_that_is_no_json_keeps_its_bytes(
    server: SimulatorServer, sim: Simulator, client_of: Make
) -> None:
    """The raw answer is on the error, for who wants to look."""
    sim.faults.next("getSummary", Fault.HTML_RESPONSE)
    async with client_of(server) as client:
        with pytest.raises(DecodeError) as caught:
            await client.account.summary()
    assert b"<html>" in (caught.value.body or b"")


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER_READ, Fault.GARBAGE, Fault.TRUNCATED_BODY, Fault.HANG], ids=str)
async def test_every_error_pickles(fault: Fault, server: SimulatorServer, sim: Simulator, client_of: Make) -> None:
    """An error that crossed a process or a queue says the same, whatever the backend raised underneath."""
    sim.faults.rule(fault)
    async with client_of(server, timeout=0.2, max_retries=0) as client:
        with pytest.raises(RequestError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi")
    for twin in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):  # noqa: S301 - our own
        assert type(twin) is type(caught.value)
        assert str(twin) == str(caught.value)
        assert twin.attempts == caught.value.attempts


@pytest.mark.parametrize("fault", [Fault.SHOUTED_STATUS, Fault.RESET_AFTER_READ, Fault.with_status(500)], ids=str)
async def test_nothing_private_is_logged(
    fault: Fault, server: SimulatorServer, sim: Simulator, client_of: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """No key, phone number or text at DEBUG, in our loggers; and not in an error's words."""
    caplog.set_level(logging.DEBUG, logger="callsavvy_async")
    sim.faults.rule(fault)
    said = ""
    async with client_of(server, max_retries=0) as client:
        try:
            await client.messaging.send_sms(NUMBER, TEXT)
        except RequestError as error:
            said = f"{error!r} {error.__cause__!r}"
        said += repr(client)
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("callsavvy"))
    assert ours
    for secret in (PUBLIC_KEY, PRIVATE_KEY, NUMBER, NUMBER[1:], TEXT):
        assert secret not in ours + said


@pytest.mark.parametrize("backend", mostly_long(["auto", "native", "httpx", "aiohttp"]))
def test_three_runs_of_one_client(backend: BackendName, server: SimulatorServer) -> None:
    """One client serves several event loops one after the other; each closes what it opened."""
    client = Callsavvy(
        public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, pacing=Unlimited(), backend=backend
    )

    async def call() -> None:
        await client.account.summary()
        assert client._transport.shared.backend.is_open

    loops = [asyncio.run] * 3 + [trio.run] * 2 * (backend in {"auto", "httpx"})
    for run in loops:
        run(call() if run is asyncio.run else call)
        assert not client._transport.shared.backend.is_open
    gc.collect()  # nothing is left that would warn
    assert server.connections == len(loops)
