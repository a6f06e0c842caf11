"""The state that a client and its copies by `with_options` share."""

from __future__ import annotations

import warnings
from contextlib import AsyncExitStack

import attrs

from callsavvy_async.policy.budget import RetryBudget
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.keyed import Keyring
from callsavvy_async.transport.rate_limiters import RateLimiters


@attrs.define
class Shared:
    """The open parts of a client.

    Attributes:
        is_direct: True if the backend uses neither a proxy nor the proxy variables of the environment.
        keyring: The journal for requests with a key; None for none.
    """

    backend: Backend
    pacing: RateLimiters
    hooks: Hooks
    budget: RetryBudget
    is_direct: bool = False
    keyring: Keyring | None = None
    closed: bool = False

    async def open(self) -> None:
        """Restore a remembered limit and open the journal, if there are any. Everything else opens at its first use."""
        self.closed = False
        self.pacing.open()
        if self.keyring is not None:
            await self.keyring.opened()

    async def aclose(self) -> None:
        """Close the connections of this event loop, and the journal. Closing twice is harmless."""
        self.closed = True
        async with AsyncExitStack() as stack:
            if self.keyring is not None:
                stack.push_async_callback(self.keyring.aclose)
            stack.push_async_callback(self.backend.aclose)
            stack.push_async_callback(self.pacing.aclose)

    def __del__(self) -> None:
        if self.backend.is_open:
            warnings.warn(f"unclosed Callsavvy client ({self.backend!r}); use 'async with'", ResourceWarning, 2, self)
