"""One request and its response over asyncio streams: the `receive` and `send` of the application."""

from __future__ import annotations

import asyncio
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from callsavvy_async.simulator.channel import EXTENSION, Event
from callsavvy_async.simulator.http1 import Head

_PIECE = 2**16
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER, on, zero seconds: closing the socket sends RST instead of FIN."""


class Exchange:
    """Reads one body and writes one response."""

    def __init__(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._expects_continue = head.expects_continue
        self._keep_alive = head.keep_alive
        self._to_read = head.length
        """Remaining bytes of the request's body. None if the body is chunked."""
        self._read = False
        self._start = b""
        self._to_write: int | None = None
        """Remaining bytes of the response's body. None if the body is chunked."""
        self._written = False

    @property
    def reusable(self) -> bool:
        """True if the connection can carry another request."""
        return self._keep_alive and self._read and self._written and not self._writer.is_closing()

    async def receive(self) -> Event:
        """Return the next piece of the body. After the last piece, wait until the client disconnects."""
        if self._expects_continue:
            self._expects_continue = False
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            if self._read:
                while await self._reader.read(_PIECE):
                    pass
                return {"type": "http.disconnect"}
            data = await (self._read_chunk() if self._to_read is None else self._read_piece(self._to_read))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            self._keep_alive = False
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": data, "more_body": not self._read}

    async def _read_piece(self, left: int) -> bytes:
        data = await self._reader.read(min(left, _PIECE)) if left else b""
        if left and not data:
            raise asyncio.IncompleteReadError(data, left)
        self._to_read = left - len(data)
        self._read = self._to_read == 0
        return data

    async def _read_chunk(self) -> bytes:
        """Read one chunk (RFC 9112, 7.1), and ignore the trailers after the last one."""
        size = int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        if size:
            return (await self._reader.readexactly(size + 2))[:-2]
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        self._read = True
        return b""

    async def send(self, event: Event) -> None:
        """Write an event of the application."""
        match event["type"]:
            case "http.response.start":
                headers = cast("list[tuple[bytes, bytes]]", event["headers"])
                self._start = self._head(cast("int", event["status"]), headers)
            case "http.response.body":
                await self._write_body(cast("bytes", event["body"]), more=bool(event["more_body"]))
            case _ if event["type"] == EXTENSION:
                self._break(cast("bytes", event["data"]), reset=bool(event["reset"]))
            case unknown:
                raise NotImplementedError(f"the server does not support the ASGI event {unknown}")

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the head of the response. A response before the end of the request closes the connection."""
        length = dict(headers).get(b"content-length")
        self._to_write = None if length is None else int(length)
        lines = [b"HTTP/1.1 %d %s" % (status, _PHRASES.get(status, "").encode())]
        lines += [b"%s: %s" % field for field in headers]
        lines.append(b"date: " + formatdate(usegmt=True).encode())  # RFC 9110, 6.6.1
        if length is None:
            lines.append(b"transfer-encoding: chunked")
        if not (self._read and self._keep_alive):
            lines.append(b"connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n"

    async def _write_body(self, data: bytes, *, more: bool) -> None:
        if self._to_write is None:
            data = (b"%x\r\n%s\r\n" % (len(data), data) if data else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self._to_write -= len(data)
        self._writer.write(self._start + data)
        self._start = b""
        self._written = not more and not self._to_write
        await self._writer.drain()

    def _break(self, data: bytes, *, reset: bool) -> None:
        """Write raw bytes, then close or reset the connection."""
        self._writer.write(data)
        if reset:
            sock = cast("socket.socket", self._writer.get_extra_info("socket"))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._writer.transport.abort()
        else:
            self._writer.close()
