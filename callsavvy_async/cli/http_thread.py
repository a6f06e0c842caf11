"""The standard library's HTTP server in a thread. It responds even if the event loop is blocked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler], *, host: str, port: int) -> Generator[str]:
    """Serve while the block runs and yield ``host:port``. Port 0 picks a free port."""
    with ThreadingHTTPServer((host, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="callsavvy-http", daemon=True)
        thread.start()
        try:
            yield f"{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
