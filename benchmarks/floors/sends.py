"""CPU time of sends beside a bare `asyncio.BufferedProtocol` that writes the same bytes on as many connections.

A bare `asyncio.Protocol` is no floor: asyncio reads into 256 KiB for it, which glibc maps and unmaps each time.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

from benchmarks.floors.figures import Figures, median
from benchmarks.floors.spinning import RESPONSE
from benchmarks.speed import ours
from benchmarks.speed.answers import NUMBER, TEXT
from benchmarks.speed.target import Target

Work = Callable[[int], Awaitable[None]]
"""Makes that many exchanges, on connections that are open."""

SENDS = 3_000
ROUNDS = 7
"""Interleaved. The median of the ratios of the rounds counts: CPU time with one in flight jumps between two values."""


def measure(loop: str, in_flight: str, url: str, certificates: str = "") -> Figures:
    """Measure sends with `Unlimited` pacing beside the bare protocol."""

    async def work() -> Figures:
        target = Target(url, certificates, int(in_flight))
        async with sdk(target) as send, bare(target) as exchange:
            return await interleaved(send, exchange)

    return runner_of(loop)(work())


def pacing(loop: str, in_flight: str, url: str) -> Figures:
    """Measure sends with the default pacing beside sends with `Unlimited`."""

    async def work() -> Figures:
        target = Target(url, "", int(in_flight))
        async with sdk(target, pacing=None) as paced, sdk(target) as unlimited:
            await paced(SENDS)  # the start
            return await interleaved(paced, unlimited)

    return runner_of(loop)(work())


def runner_of(loop: str) -> Callable[..., Figures]:
    """Return the `run` function of an event loop's library."""
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415 - of the extra speed

        return uvloop.run
    return asyncio.run


async def interleaved(work: Work, floor: Work, units: int = SENDS) -> Figures:
    """Return the microseconds of CPU time of one unit of both, in the round of the median ratio."""
    for warming in (work, floor):
        await warming(units // 2)
    return median([Figures(await cpu(work, units), await cpu(floor, units)) for _ in range(ROUNDS)])


async def cpu(work: Work, units: int) -> float:
    """Return the microseconds of CPU time of one unit."""
    gc.collect()
    began = time.process_time()
    await work(units)
    return (time.process_time() - began) / units * 1e6


@asynccontextmanager
async def sdk(target: Target, **options: object) -> AsyncIterator[Work]:
    """Send through the client."""
    async with ours.connect(target, **options) as callsavvy:
        yield lambda units: _spread(lambda: callsavvy.messaging.send_sms(NUMBER, TEXT), target.in_flight, units)


async def _spread(send: Callable[[], Awaitable[object]], in_flight: int, units: int) -> None:
    async def worker() -> None:
        for _ in range(units // in_flight):
            await send()

    await asyncio.gather(*(worker() for _ in range(in_flight)))


# ------------------------------------------------------------------------------------------------------ the floor


class _Exchange(asyncio.BufferedProtocol):
    """One connection, one exchange at a time: a write, a read into a buffer that is kept, a future."""

    transport: asyncio.Transport
    response: asyncio.Future[bytes]

    def __init__(self) -> None:
        self._buffer = bytearray(65_536)
        self._received = memoryview(self._buffer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none

    def get_buffer(self, _: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, length: int) -> None:
        self.response.set_result(bytes(self._received[:length]))


@asynccontextmanager
async def bare(target: Target) -> AsyncIterator[Work]:
    """Exchange the bytes of the client's request, and read nothing in the response."""
    loop, place = asyncio.get_running_loop(), urlsplit(target.url)
    context: ssl.SSLContext | None = target.context() if target.secure else None
    request = await recorded_request()
    connections = [
        (await loop.create_connection(_Exchange, place.hostname, place.port, ssl=context))[1]
        for _ in range(target.in_flight)
    ]

    async def worker(connection: _Exchange, units: int) -> None:
        for _ in range(units):
            connection.response = loop.create_future()
            connection.transport.write(request)
            await connection.response

    async def work(units: int) -> None:
        await asyncio.gather(*(worker(one, units // target.in_flight) for one in connections))

    try:
        yield work
    finally:
        for connection in connections:
            connection.transport.close()


async def recorded_request() -> bytes:
    """Return the bytes that the client writes for one send."""
    written = bytearray()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written.extend(await reader.read(65_536))
        writer.write(RESPONSE)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with ours.connect(Target(url, "")) as callsavvy:
            await callsavvy.messaging.send_sms(NUMBER, TEXT)
    return bytes(written)
