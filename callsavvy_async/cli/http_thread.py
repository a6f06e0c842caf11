"""The standard library's HTTP server in a thread. It responds even if the event loop is blocked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class Handler(BaseHTTPRequestHandler):
    """Base of the request handlers."""

    timeout: ClassVar[float | None] = 10

    def reply(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send a response."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no access log: probes would fill it, and the path of a webhook contains its secret."""


@contextlib.contextmanager
def serving(handler: Callable[..., Handler], *, host: str, port: int) -> Generator[str]:
    """Serve while the block runs and yield ``host:port``. Port 0 picks a free port."""
    with ThreadingHTTPServer((host, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="callsavvy-http", daemon=True)
        thread.start()
        try:
            yield f"{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
