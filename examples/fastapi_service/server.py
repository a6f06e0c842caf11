"""uvicorn, told to end event streams when it is asked to stop."""

from __future__ import annotations

import threading
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """Stops on the first signal, whatever is under way, and then exits with status 0.

    uvicorn closes the application only when the last connection has ended, and an event stream ends only when told.
    """

    def __init__(self, config: uvicorn.Config, *, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal; uvicorn's own method would raise it again after the shutdown."""
        del sig, frame
        self._closing.set()
        self.should_exit = True
