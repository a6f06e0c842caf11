"""A loopback server that imitates four APIs for a benchmark race, with one hidden token bucket behind them.

The server is the independent witness: it counts accepted requests, 429s and connections.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import attrs

_ANSWERS = {
    "/v1/sendSMS": {
        "resource": "sendSMS",
        "status": "success",
        "data": {"message_id": "1", "cost": "1", "status": "sent"},
    },
    "/messages": {"data": {"record_type": "message", "id": "1", "to": []}},
    "/chat.postMessage": {"ok": True, "ts": "1.0"},
    "/2010-04-01/Accounts/AC1/Messages.json": {"sid": "SM1", "status": "queued", "num_segments": "1"},
    "/plain": {},
}
_REFUSAL = {"status": "error", "message": "Too many requests", "ok": False, "error": "ratelimited", "code": 20429}


@attrs.define
class RaceServer:
    """Accepts `rate` requests per second on average, and `burst` at once. An accepted request takes 50 to 200 ms."""

    rate: float
    burst: float
    retry_after: bool
    delivered: Counter[str] = attrs.field(factory=Counter)
    accepted: int = 0
    refused: int = 0
    connections: int = 0
    url: str = ""
    _tokens: float = 0.0
    _updated: float = 0.0
    _rng: random.Random = attrs.field(factory=lambda: random.Random(3))
    _writers: set[asyncio.StreamWriter] = attrs.field(factory=set)

    async def start(self) -> asyncio.Server:
        self._tokens, self._updated = self.burst, time.monotonic()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def close_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                path = head.split(" ", 2)[1]
                length = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0])
                body = (await reader.readexactly(length)).decode()
                await self._answer(path, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, path: str, body: str, writer: asyncio.StreamWriter) -> None:
        admitted = self._take()
        if admitted:
            self.accepted += 1
            self.delivered.update(_numbers(body))
            await asyncio.sleep(self._rng.uniform(0.05, 0.2))
            answer = next(answer for known, answer in _ANSWERS.items() if known.lower() == path)
            status, extra = "200 OK" if "2010" not in path else "201 Created", ""
        else:
            self.refused += 1
            await asyncio.sleep(0.02)
            answer, status = _REFUSAL, "429 Too Many Requests"
            extra = f"retry-after: {math.ceil((1 - self._tokens) / self.rate)}\r\n" if self.retry_after else ""
        data = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
        writer.write(head.encode() + data)
        await writer.drain()

    def _take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + self.rate * (now - self._updated))
        self._updated = now
        admitted = self._tokens >= 1
        self._tokens -= admitted
        return admitted


def _numbers(body: str) -> list[str]:
    fields = json.loads(body) if body.startswith("{") else {name: one[0] for name, one in parse_qs(body).items()}
    to = next(fields[name] for name in ("to", "To", "recipient", "channel") if name in fields)
    return str(to).split(",")


@contextmanager
def serving(server: RaceServer) -> Iterator[RaceServer]:
    """Serve from a background thread while the block runs."""
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(server.close_connections)
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.call_later, 0.3, loop.stop)
        thread.join()
        loop.close()
