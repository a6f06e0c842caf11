"""Webhooks behind the standard library's HTTP server: enough for one developer's machine, and nothing to install."""

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
    """Serve on loopback from a background thread while the block runs; yields ``host:port``."""
    return serving(functools.partial(_WebhookHandler, hooks), host="127.0.0.1", port=port)


class _WebhookHandler(BaseHTTPRequestHandler):
    timeout = _SECONDS_PER_REQUEST

    def __init__(self, hooks: Webhooks, *arguments: object) -> None:
        self._hooks = hooks
        super().__init__(*arguments)  # type: ignore[arg-type] # socketserver's own arguments, handed on

    def do_GET(self) -> None:
        """Answer a GET, whose body is never read."""
        self._respond(b"")

    def do_POST(self) -> None:
        """Answer a POST."""
        length = self.headers.get("content-length", "0")
        body = self.rfile.read(min(int(length), MAX_BODY_BYTES + 1)) if length.isdecimal() else b""
        self._respond(body)

    def _respond(self, body: bytes) -> None:
        reply = anyio.run(self._answer, body)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    async def _answer(self, body: bytes) -> Reply:
        return await self._hooks.handle(
            token=self.path.removeprefix("/"), body=body, method=self.command, headers=dict(self.headers.items())
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no access log: its lines hold the secret."""
