"""The loopback server: HTTP/1.1 as it is written, and doors that leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx
import pytest

from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer, serve, serve_forever
from callsavvy_async.simulator.http1 import BadRequest, parse_head

DESCRIPTORS = Path("/dev/fd")
HEAD = (
    f"host: x\r\npublic-key: {PUBLIC_KEY}\r\nprivate-key: {PRIVATE_KEY}\r\ncontent-type: application/json\r\n".encode()
)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def sock(server: SimulatorServer):
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0), timeout=60) as sock:
        yield sock


def until_closed(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_the_url_is_the_apis(server: SimulatorServer) -> None:
    """The base URL is loopback and ends in /v1."""
    assert httpx.URL(server.url).host == "127.0.0.1"
    assert server.url.endswith("/v1")


def test_connections_are_kept(wire: httpx.Client, server: SimulatorServer) -> None:
    """Requests one after another share a connection."""
    for _ in range(5):
        assert wire.post("getSummary", json={}).status_code == 200
    assert server.connections == 1


def test_bodies_may_come_in_chunks(wire: httpx.Client) -> None:
    """A chunked body is put together again."""
    pieces = iter([b"{", b"", b'"contact_id"', b':"x"}'])
    response = wire.post("deleteContact", content=pieces, headers={"content-type": "application/json"})
    assert response.json()["message"] == "Contact not found"


def test_a_body_may_come_byte_by_byte(sock: socket.socket) -> None:
    """Framing follows the bytes, not the packets."""
    for byte in b"POST /v1/getSummary HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n" + HEAD + b"\r\n{}":
        sock.sendall(bytes([byte]))
    assert until_closed(sock).startswith(OK)


def test_chunks_may_have_extensions_and_trailers(sock: socket.socket) -> None:
    """Both are read over (RFC 9112, 7.1)."""
    head = b"POST /v1/getSummary HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n" + HEAD
    sock.sendall(head + b"\r\n2;why=not\r\n{}\r\n0\r\ntrailer: x\r\n\r\n")
    assert until_closed(sock).startswith(OK)


def test_a_waiting_client_is_told_to_continue(sock: socket.socket) -> None:
    """Expect: 100-continue is answered before the body is asked for."""
    head = b"POST /v1/getSummary HTTP/1.1\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 2\r\n"
    sock.sendall(head + HEAD + b"\r\n")
    assert sock.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(b"{}")
    assert until_closed(sock).startswith(OK)


def test_a_body_that_ends_early_was_not_read(sock: socket.socket, sim: Simulator) -> None:
    """A client that goes away within its body has posted nothing."""
    sock.sendall(b"POST /v1/sendSMS HTTP/1.1\r\ncontent-length: 100\r\n" + HEAD + b"\r\n{")
    sock.shutdown(socket.SHUT_WR)
    assert until_closed(sock) == b""
    assert sim.ledger.posts("sendSMS") == 0
    assert not sim.requests


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"POST /v1/getSummary HTTP/2.0\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\nname : blank before the colon\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\ncontent-length: two\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /v1/getSummary HTTP/1.1\r\nx: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_cannot_be_framed_is_400(sock: socket.socket, head: bytes) -> None:
    """The server says so and closes; it never guesses where a body ends."""
    if len(head) < 1_000:
        with pytest.raises(BadRequest):
            parse_head(head)
    sock.sendall(head)
    assert until_closed(sock).startswith(b"HTTP/1.1 400 ")


def test_a_large_body_takes_time_in_proportion(wire: httpx.Client, sim: Simulator) -> None:
    """200,000 recipients in one call are read, charged and remembered one by one, quickly."""
    sim.world.balances = Simulator(sms_balance=200_000).world.balances
    numbers = [f"+234{number:010d}" for number in range(200_000)]
    started = time.monotonic()
    response = wire.post("sendSMS", json={"recipient": ",".join(numbers), "message": "Hi"})
    assert response.json()["data"]["cost"] == "200000"
    assert time.monotonic() - started < 5
    assert sim.ledger.totals.charged_recipients == 200_000
    assert set(sim.ledger.charged) == set(numbers)


def test_idle_connections_can_expire() -> None:
    """A kept-alive connection without a request is closed after `idle_timeout`."""
    with serve(Simulator(), idle_timeout=0.05) as server:
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port or 0), timeout=60) as sock:
            assert sock.recv(1) == b""


def test_requests_are_recorded_for_tests(wire: httpx.Client, sim: Simulator) -> None:
    """Method, path, lower-case headers and body of each request can be looked at."""
    wire.post("getSummary", json={"a": "b"}, headers={"X-Trace": "7"})
    request = sim.requests[-1]
    assert (request.method, request.path, request.resource) == ("POST", "/v1/getSummary", "getSummary")
    assert (request.headers["x-trace"], request.body) == ("7", b'{"a":"b"}')


def test_the_ledger_can_be_read_while_many_write(wire: httpx.Client, sim: Simulator) -> None:
    """Sends from many threads are each charged once; reading meanwhile never sees a half."""

    def send(number: int) -> None:
        params = {"recipient": f"+23480{number:08d}", "message": "Hi"}
        assert wire.post("sendSMS", json=params).status_code == 200
        totals = sim.ledger.totals
        assert totals.charged_requests == totals.charged_recipients == totals.cost

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(200)))
    assert sim.ledger.totals.charged_requests == 200
    assert set(sim.ledger.charged.values()) == {1}


@pytest.mark.anyio
async def test_the_thread_door_serves_any_loop(sim: Simulator) -> None:
    """The server has its own loop, so the client may run on asyncio or trio."""
    with serve(sim) as server:
        async with httpx.AsyncClient(headers={"Public-Key": PUBLIC_KEY, "Private-Key": PRIVATE_KEY}) as client:
            assert (await client.post(f"{server.url}/getSummary", json={})).status_code == 200


@pytest.mark.long
def test_the_thread_door_leaves_nothing_behind(sim: Simulator) -> None:
    """Threads, file descriptors and sockets are as before, with connections idle, hanging and half-sent."""
    gc.collect()
    threads, descriptors = threading.active_count(), len(list(DESCRIPTORS.iterdir()))
    sim.latency = 60.0
    for _ in range(3):
        with serve(sim) as server:
            url = httpx.URL(server.url)
            socks = [socket.create_connection((url.host, url.port or 0), timeout=60) for _ in range(3)]
            socks[0].sendall(b"POST /v1/getSummary HTTP/1.1\r\ncontent-length: 2\r\n" + HEAD + b"\r\n{}")
            socks[1].sendall(b"POST /v1/getSummary HTTP/1.1\r\n")
            while not sim.requests or server.connections < 3:
                time.sleep(0.001)
        for sock in socks:
            sock.close()
        sim.requests.clear()
    gc.collect()
    assert threading.active_count() == threads
    assert len(list(DESCRIPTORS.iterdir())) == descriptors


def test_a_client_that_does_not_read_cannot_hold_the_server_up(sim: Simulator) -> None:
    """Answers that nobody takes are thrown away at the end."""
    sim.faults.next("getSummary", Fault.HUGE_BODY)
    with serve(sim) as server:
        url = httpx.URL(server.url)
        sock = socket.create_connection((url.host, url.port or 0), timeout=60)
        sock.sendall(b"POST /v1/getSummary HTTP/1.1\r\ncontent-length: 2\r\n" + HEAD + b"\r\n{}")
        assert sock.recv(100).startswith(OK)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    sock.close()


def test_a_port_that_is_taken_is_an_error(server: SimulatorServer) -> None:
    """Failing to listen is raised where `serve` was called."""
    with pytest.raises(OSError, match="in use"), serve(Simulator(), port=httpx.URL(server.url).port or 0):
        pass


def test_serving_forever_ends_with_its_task() -> None:
    """The program's door says where it listens and closes when cancelled."""

    async def main() -> int:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve_forever(Simulator(), ready=ready.set_result))
        async with httpx.AsyncClient() as client:
            status = (await client.post(f"{await ready}/getSummary", json={})).status_code
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return status

    assert asyncio.run(main()) == 401


@pytest.mark.anyio
async def test_latency_is_slept_by_the_given_sleep() -> None:
    """Latency may be drawn, and is waited for by whatever `sleep` is given."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    sim = Simulator(latency=lambda rng: rng.uniform(1, 2), sleep=sleep)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
        for _ in range(3):
            await client.post("getSummary", json={})
    sim.latency = 0.5
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
        await client.post("getSummary", json={})
    assert len(set(slept)) == 4
    assert all(1 <= seconds <= 2 for seconds in slept[:3])
    assert slept[3] == 0.5
