"""One exchange seen from the application: an ASGI connection that can also be broken.

A server that can break connections lists `EXTENSION` in the scope's extensions; the application then sends it

    {"type": "callsavvy.simulator.break", "data": bytes, "reset": bool}

upon which the server writes `data` as it is and closes the connection, or resets it. Any other server, and
`httpx.ASGITransport`, gets the exception `ConnectionDropped` instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TypeAlias, cast

from callsavvy_async.simulator.requests import Request

EXTENSION = "callsavvy.simulator.break"
"""The scope extension's and the event's name."""

Event: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]


class ConnectionDropped(ConnectionError):
    """The simulated server closed or reset the connection, and there is no socket to do it with."""


class Channel:
    """Reads one request and writes its answer, well or badly."""

    def __init__(self, scope: Event, receive: Receive, send: Send) -> None:
        extensions = cast("Mapping[str, object] | None", scope.get("extensions")) or {}
        self._breaks = EXTENSION in extensions
        self._scope = scope
        self._receive = receive
        self._send = send

    def request(self) -> Request:
        """Return the request as far as it is known before its body."""
        headers = cast("list[tuple[bytes, bytes]]", self._scope["headers"])
        return Request(
            method=str(self._scope["method"]),
            path=str(self._scope["path"]),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers},
            read=False,
        )

    async def read(self) -> bytes | None:
        """Read the body; None if the client goes away before its end."""
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
        """Send status and headers; without a content-length the body goes in chunks."""
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, {**headers, "content-length": str(len(body))})
        await self.write(body, more=False)

    async def hang(self) -> None:
        """Do nothing until the client closes the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drop(self, data: bytes = b"", *, reset: bool = False) -> None:
        """Write raw bytes and break the connection."""
        if not self._breaks:
            raise ConnectionDropped("the simulated server broke the connection, as a fault told it to")
        await self._send({"type": EXTENSION, "data": data, "reset": reset})

    async def close(self) -> None:
        """Close the connection behind a whole answer; without a socket there is nothing to close."""
        if self._breaks:
            await self.drop()
