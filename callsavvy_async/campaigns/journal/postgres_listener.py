"""Wait for NOTIFY in PostgreSQL, on a separate connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_SLICE = 0.25
"""Seconds after which `wait` notices `close`."""


class Listener:
    """Waits for notifications in a thread. While the server is unavailable, it only waits.

    Args:
        connect: opens a connection with autocommit.
        channel: an identifier; it becomes part of a statement.
        errors: what a lost connection raises.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection[Any]], channel: str, errors: type[BaseException]
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._errors = errors
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = threading.Event()
        self._waiting = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Wait until a notification comes, the seconds are over, or `close` is called."""
        ends_at = time.monotonic() + seconds
        with self._waiting:
            try:
                while not self._closed.is_set() and (left := ends_at - time.monotonic()) > 0:
                    if any(True for _ in self._listening().notifies(timeout=min(left, _SLICE), stop_after=1)):
                        break
            except self._errors:
                self._disconnect()
                self._closed.wait(max(0.0, ends_at - time.monotonic()))

    def close(self) -> None:
        """End `wait` in another thread, and disconnect. Call it in a thread."""
        self._closed.set()
        with self._waiting:
            self._disconnect()

    def _listening(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(f"LISTEN {self._channel}".encode())
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(self._errors):
                self._connection.close()
            self._connection = None
