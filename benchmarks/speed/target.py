"""The target of a contestant's requests."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

Call: TypeAlias = Callable[[], Awaitable[None]]
"""Sends one SMS and reads the response."""


class Target(NamedTuple):
    """A server and its certificates."""

    url: str
    certificates: str
    """File of the trusted certificates. The environment names it for contestants without an SSL context."""
    in_flight: int = 1
    """Maximum number of requests in flight."""

    @property
    def secure(self) -> bool:
        """True for TLS."""
        return self.url.startswith("https")

    def context(self) -> ssl.SSLContext:
        """Make a context that trusts the server."""
        return ssl.create_default_context(cafile=self.certificates)
