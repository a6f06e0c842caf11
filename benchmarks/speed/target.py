"""What a contestant is told."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

Call: TypeAlias = Callable[[], Awaitable[None]]
"""Sends one SMS and reads the answer."""


class Target(NamedTuple):
    """Where to send to."""

    url: str
    certificates: str
    """File of the certificates to trust; contestants that take no context find it in the environment."""
    in_flight: int = 1
    """Calls that will be under way at a time."""

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.url.startswith("https")

    def context(self) -> ssl.SSLContext:
        """Make a context that trusts the server."""
        return ssl.create_default_context(cafile=self.certificates)
