"""Webhooks behind the standard library's HTTP server, for development."""

from __future__ import annotations

import contextlib
import functools
from http.server import BaseHTTPRequestHandler

import anyio

from callsavvy_async.cli.http_thread import serving
from callsavvy_async.webhooks import Reply, Webhooks
from callsavvy_async.webhooks.parsing import MAX_BODY_BYTES

_SECONDS_PER_REQUEST = 10


def listening(hooks: Webhooks, *, port: int) -> contextlib.AbstractContextManager[str]:
    """Serve on loopback from a background thread while the block runs, and yield ``host:port``."""
    return serving(functools.partial(_Handler, hooks), host="127.0.0.1", port=port)


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS_PER_REQUEST

    def __init__(self, hooks: Webhooks, *arguments: object) -> None:
        self._hooks = hooks
        super().__init__(*arguments)  # type: ignore[arg-type] # socketserver's arguments

    def do_GET(self) -> None:
        """Respond to a GET without reading its body."""
        self._respond(b"")

    def do_POST(self) -> None:
        """Respond to a POST."""
        length = self.headers.get("content-length", "0")
        body = self.rfile.read(min(int(length), MAX_BODY_BYTES + 1)) if length.isdecimal() else b""
        self._respond(body)

    def _respond(self, body: bytes) -> None:
        reply = anyio.run(self._handle_event, body)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    async def _handle_event(self, body: bytes) -> Reply:
        return await self._hooks.handle(
            token=self.path.removeprefix("/"), body=body, method=self.command, headers=dict(self.headers.items())
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no access log, because its lines contain the secret."""
