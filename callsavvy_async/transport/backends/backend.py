"""The protocol of backends."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Protocol

from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class Backend(Protocol):
    """Exchanges one request for one complete response."""

    def exchange(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> Coroutine[object, object, HttpResponse]:
        """Send a request and read the complete response.

        Args:
            request: Request to send.
            timeout: Seconds for the whole exchange.
            max_bytes: Maximum size of the decompressed body.

        Raises:
            ExchangeFailedError: The response is missing or incomplete.
            ConfigurationError: The backend cannot run in this event loop; nothing was sent.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        ...

    @property
    def is_open(self) -> bool:
        """True if `aclose` would close a connection."""
        ...
