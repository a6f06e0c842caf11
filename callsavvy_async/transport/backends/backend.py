"""What every backend promises."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Protocol

from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class Backend(Protocol):
    """Exchanges one request for one whole answer. Backends swap here."""

    def exchange(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> Coroutine[object, object, HttpResponse]:
        """Send a request and read the whole answer.

        Args:
            request: what to send.
            timeout: seconds for everything.
            max_bytes: largest body that is read, after decompression.

        Raises:
            ExchangeFailedError: when no whole answer came.
            ConfigurationError: when it cannot run in this event loop; then nothing was sent.
        """
        ...

    async def aclose(self) -> None:
        """Close what was opened in this event loop."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether something is open that `aclose` would close."""
        ...
