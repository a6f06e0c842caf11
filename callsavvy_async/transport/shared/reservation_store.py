"""The interface of a store that keeps the row of a shared limit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from callsavvy_async.policy.reservation_protocol import RowRequest, RowState
from callsavvy_async.redaction import MASK

LEASE = 5.0
"""Seconds after its last request to the row for which a process counts as sharing the limit."""
PATIENCE = 1.0
"""Maximum seconds to wait for a connection, and for a response."""


class UnreachableError(Exception):
    """The row is unavailable. The text gives the reason, without secrets."""


class ReservationStore(Protocol):
    """An open connection of one process to the row of one limit."""

    async def execute(self, request: RowRequest) -> RowState:
        """Execute a request atomically, and return the row after it.

        Raises:
            UnreachableError: The response is missing; the request may or may not have been executed.
        """
        ...


Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[ReservationStore]]
"""Opens a connection. Raises `UnreachableError` on entering and during use."""


def describe(error: BaseException, url: str) -> str:
    """Return an error's text in one line, without the secrets of the URL."""
    first = _first(error)
    if isinstance(first, UnreachableError):
        return str(first)
    text = " ".join(str(first).split()) or "no response in time"
    parts = urlsplit(url)
    options = [value for name, value in parse_qsl(parts.query) if "password" in name]  # as in libpq and coredis
    for secret in filter(None, (url, parts.password, unquote(parts.password or ""), *options)):
        text = text.replace(secret, MASK)
    return f"{type(first).__name__}: {text}"


def _first(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
