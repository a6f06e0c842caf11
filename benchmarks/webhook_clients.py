"""Clients of a webhook server: a steady load, and an attack."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Self

from callsavvy_async.simulator.webhooks import EVENTS, encode_event

SECRET = "a-secret-for-the-benchmark-only"
HOST = "127.0.0.1"


def request_bytes(token: str, event: str, *, length: int | None = None) -> bytes:
    kind, body = encode_event(event)
    head = f"POST /hooks/{token} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> int:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
        await self._reader.readexactly(length)
        return int(head[9:12])


async def load(port: int, seconds: float, *, connections: int) -> dict[str, float]:
    """Post all six events in turn, each after the response to the previous one."""
    requests = {name: request_bytes(SECRET, name) for name in EVENTS}
    until, statuses, answered = time.perf_counter() + seconds, list[int](), list[float]()

    async def post_events() -> None:
        async with Client(port) as client:
            while True:
                for name, request in requests.items():
                    began = time.perf_counter()
                    if began >= until:
                        return
                    statuses.append(await client.ask(request))
                    if name in {"callerInformation", "chatbotCallback"}:
                        answered.append(time.perf_counter() - began)

    await asyncio.gather(*(post_events() for _ in range(connections)))
    centiles = statistics.quantiles(answered, n=100)
    return {
        "connections": connections,
        "events_per_second": round(len(statuses) / seconds),
        "answer_ms_p50": round(centiles[49] * 1000, 2),
        "answer_ms_p99": round(centiles[98] * 1000, 2),
        "events": len(statuses),
        "refused": len(statuses) - statuses.count(200),
    }


class Attack:
    """Guesses secrets, sends slow bodies, closes early and overstates lengths, all at once, and counts successes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.tally = {"in": 0, "404": 0, "408": 0, "413": 0, "dropped": 0}

    async def run(self, *, guesses: int, clients: int) -> dict[str, int]:
        crowd = asyncio.Semaphore(200)

        async def one_of_the_crowd(number: int) -> None:
            async with crowd:
                await self._misbehave((self._half_closed, self._dripping, self._giant, self._gone)[number % 4])

        await asyncio.gather(
            *(self._guess(guesses // 20) for _ in range(20)), *(one_of_the_crowd(number) for number in range(clients))
        )
        return self.tally

    async def _guess(self, share: int) -> None:
        async with Client(self._port) as client:
            for number in range(share):
                self._count(await client.ask(request_bytes(f"{SECRET[:-1]}{number:x}", "newTicketOpened")))

    async def _misbehave(self, how: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        try:
            await how(writer)
            answer = await asyncio.wait_for(reader.read(4_096), 10)
            self._count(int(answer[9:12] or 0))
        except (ConnectionError, TimeoutError):
            self._count(0)
        finally:
            writer.close()

    def _count(self, status: int) -> None:
        name = {0: "dropped", 400: "dropped", 404: "404", 408: "408", 413: "413"}.get(status, "in")
        self.tally[name] += 1

    async def _half_closed(self, writer: asyncio.StreamWriter) -> None:
        writer.write(request_bytes(SECRET, "newChat", length=5_000))
        writer.write_eof()

    async def _dripping(self, writer: asyncio.StreamWriter) -> None:
        writer.write(request_bytes(SECRET, "newChat", length=5_000))
        for _ in range(4):
            await asyncio.sleep(0.7)
            writer.write(b" ")

    async def _giant(self, writer: asyncio.StreamWriter) -> None:
        writer.write(request_bytes(SECRET, "newChat", length=10**9))

    async def _gone(self, writer: asyncio.StreamWriter) -> None:
        writer.write(request_bytes(SECRET, "newChat", length=5_000))
        writer.transport.abort()
