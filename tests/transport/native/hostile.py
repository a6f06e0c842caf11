"""A server that does what its script says, byte by byte, and counts what it read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import attrs
import pytest

from callsavvy_async.transport.native.backend import NativeBackend, write_head
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.request_template import RequestTemplate
from callsavvy_async.wire.response import HttpResponse

_LENGTH = re.compile(rb"content-length: (\d+)")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
"""The plainest answer."""


@attrs.define
class Peer:
    """One connection, as the server sees it."""

    server: Hostile
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        data = await self.reader.readexactly(size)
        self.server.bytes_read += len(data)
        return data

    async def read_request(self) -> bytes:
        """Read a whole request; return its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.server.bytes_read += len(head)
        found = _LENGTH.search(head)
        body = await self.read(int(found[1])) if found else b""
        self.server.requests.append(body)
        self.server.heads.append(head)
        return body

    async def drain_all(self) -> None:
        """Read whatever comes until nothing more does."""
        while data := await self.reader.read(65536):
            self.server.bytes_read += len(data)

    async def send(self, data: bytes, at: Iterable[int] = ()) -> None:
        """Send bytes in pieces that end at the given offsets; the client's loop reads each before the next is sent."""
        cuts = sorted({cut for cut in at if 0 < cut < len(data)})
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if self.writer.transport.is_closing():  # uvloop raises a RuntimeError then, asyncio writes into nothing
                raise ConnectionResetError
            self.writer.write(data[start:end])
            await self.writer.drain()
            if cuts:
                for _ in range(3):
                    await asyncio.sleep(0)

    async def answer(self, data: bytes = OK, at: Iterable[int] = ()) -> None:
        """Read a request, then send bytes."""
        await self.read_request()
        await self.send(data, at)

    def reset(self) -> None:
        """Break the connection off: RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """Close it."""
        self.writer.close()

    def half_close(self) -> None:
        """Say that nothing more comes, and stay."""
        self.writer.write_eof()

    async def hang(self) -> None:
        """Do nothing for ever."""
        await asyncio.Event().wait()


Script = Callable[[Peer], Awaitable[None]]


@attrs.define
class Hostile:
    """A running server.

    Attributes:
        connections: how many were made.
        requests: bodies of the whole requests that it read.
        heads: their heads.
        bytes_read: of all connections.
    """

    port: int = 0
    secure: bool = False
    connections: int = 0
    bytes_read: int = 0
    requests: list[bytes] = attrs.field(factory=list)
    heads: list[bytes] = attrs.field(factory=list)
    peers: list[Peer] = attrs.field(factory=list)

    def request(self, body: bytes = b"{}", host: str = "127.0.0.1") -> HttpRequest:
        """Make a request for it."""
        scheme = "https" if self.secure else "http"
        headers = (("host", "hostile"), ("private-key", "secret"))
        return HttpRequest(RequestTemplate.of(f"{scheme}://{host}:{self.port}/v1/sendSMS", headers), body)

    def wire(self, body: bytes = b"{}") -> bytes:
        """Return a request as it goes over the wire."""
        return write_head(self.request(body).template) + str(len(body)).encode() + b"\r\n\r\n" + body

    async def post(self, backend: NativeBackend, body: bytes = b"{}", **options: Any) -> HttpResponse:
        """Send a request to it."""
        return await backend.exchange(self.request(body), **{"timeout": 10.0, "max_bytes": 1_000_000, **options})

    async def fails(self, backend: NativeBackend, body: bytes = b"{}", **options: Any) -> ExchangeFailedError:
        """Send a request to it, which must fail."""
        with pytest.raises(ExchangeFailedError) as caught:
            await self.post(backend, body, **options)
        assert caught.value.sent == (caught.value.bytes_sent != 0)
        return caught.value


@contextlib.asynccontextmanager
async def hostile(script: Script, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Hostile]:
    """Serve a script, once for each connection. A connection that the script leaves open is closed when it returns."""
    server = Hostile(secure=tls is not None)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        peer = Peer(server, server.connections, reader, writer)
        server.peers.append(peer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await script(peer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            tasks.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, **options)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for _ in range(5):  # what was connected to just now is accepted: asyncio loses it after the close
            await asyncio.sleep(0)
        listener.close()
        for task in list(tasks):
            task.cancel()
        await seen(lambda: not tasks)
        for peer in server.peers:
            with contextlib.suppress(
                AttributeError
            ):  # Python 3.11 cannot abort what closed when its last bytes had left
                peer.writer.transport.abort()
        await asyncio.sleep(0)


def descriptors() -> int:
    """Count the process's open descriptors, but for the one of /dev/null that libuv keeps for want of others."""
    return sum(_leads_to(number) != "/dev/null" for number in os.listdir("/proc/self/fd"))  # noqa: PTH208 - one call


def _leads_to(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - no objects
    except FileNotFoundError:  # that of the listing itself
        return "/dev/null"


async def seen(condition: Callable[[], object]) -> None:
    """Let the event loop run until it is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is anything
            await asyncio.sleep(0)
