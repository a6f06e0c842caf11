"""A port for a server, and a wait until it answers there."""

from __future__ import annotations

import socket
import time
from contextlib import suppress


def free_port() -> int:
    """Return a loopback port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int, *, seconds: float = 20.0) -> None:
    """Wait until something accepts connections.

    Raises:
        TimeoutError: nothing did.
    """
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)  # a server's start is not ours to be told of
    raise TimeoutError(f"nothing listens at port {port}.")
