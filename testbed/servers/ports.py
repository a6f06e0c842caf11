"""Find a free port, and wait until a server accepts connections on it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress


def free_port() -> int:
    """Return a loopback port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int, *, seconds: float = 20.0) -> None:
    """Wait until a server accepts connections.

    Raises:
        TimeoutError: The port is still closed after `seconds`.
    """
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)  # the server does not report its start
    raise TimeoutError(f"port {port} is still closed after {seconds:g} s.")
