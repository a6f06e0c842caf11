"""The part of a client that campaigns use. `Callsavvy` implements it, and stands above this layer."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

from callsavvy_async.config import Destination
from callsavvy_async.resources.account import Account
from callsavvy_async.resources.messaging import Messaging
from callsavvy_async.transport.rate_limiters import RateLimiters


class Client(Protocol):
    """A `Callsavvy` client. Type checkers match its cached properties only with cached properties."""

    @property
    def destination(self) -> Destination:
        """The server and an identifier of the account, without its keys."""
        ...

    @cached_property
    def account(self) -> Account:
        """The account, whose balance proves what was charged."""
        ...

    @cached_property
    def messaging(self) -> Messaging:
        """Sends the messages."""
        ...

    @property
    def pacing(self) -> RateLimiters:
        """The rate limiters."""
        ...
