"""One exchange, seen from the application: an ASGI connection that the application can break.

A server that can break connections lists `EXTENSION` in the scope's extensions. To break one, the application sends

    {"type": "callsavvy.simulator.break", "data": bytes, "reset": bool}

The server writes `data` unchanged and closes the connection, or resets it. With any other server, and with
`httpx.ASGITransport`, the application raises `ConnectionDropped` instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TypeAlias, cast

from callsavvy_async.simulator.requests import Request

EXTENSION = "callsavvy.simulator.break"
"""Name of the scope's extension and of the event."""

Event: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]


class ConnectionDropped(ConnectionError):
    """The simulated server closed or reset the connection, under a server without `EXTENSION`."""


class Channel:
    """Reads one request and writes its response, intact or broken."""

    def __init__(self, scope: Event, receive: Receive, send: Send) -> None:
        extensions = cast("Mapping[str, object] | None", scope.get("extensions")) or {}
        self._breaks = EXTENSION in extensions
        self._scope = scope
        self._receive = receive
        self._send = send

    def request(self) -> Request:
        """Return the request without its body."""
        headers = cast("list[tuple[bytes, bytes]]", self._scope["headers"])
        return Request(
            method=str(self._scope["method"]),
            path=str(self._scope["path"]),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
            read=False,
        )

    async def read(self) -> bytes | None:
        """Read the body. Returns None if the client disconnects before its end."""
        pieces: list[bytes] = []
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                return None
            pieces.append(cast("bytes", event.get("body", b"")))
            more = bool(event.get("more_body", False))
        return b"".join(pieces)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers. Without a content-length the body is chunked."""
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole response."""
        await self.start(status, {**headers, "content-length": str(len(body))})
        await self.write(body, more=False)

    async def hang(self) -> None:
        """Wait until the client closes the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drop(self, data: bytes = b"", *, reset: bool = False) -> None:
        """Write raw bytes and break the connection."""
        if not self._breaks:
            raise ConnectionDropped("the simulated server broke the connection because of a fault")
        await self._send({"type": EXTENSION, "data": data, "reset": reset})

    async def close(self) -> None:
        """Close the connection after a whole response. Does nothing under a server without `EXTENSION`."""
        if self._breaks:
            await self.drop()
