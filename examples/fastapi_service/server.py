"""A uvicorn server that ends event streams when it stops."""

from __future__ import annotations

import threading
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """Stops on the first signal and exits with status 0.

    uvicorn waits for the last connection before it closes the application, and an event stream ends only on `closing`.
    """

    def __init__(self, config: uvicorn.Config, *, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Record a signal. uvicorn's method would raise it again after the shutdown."""
        del sig, frame
        self._closing.set()
        self.should_exit = True
