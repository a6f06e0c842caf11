"""Who keeps the row that processes share a limit by, as the fetcher sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from callsavvy_async.policy.reservation_protocol import RowRequest, RowState
from callsavvy_async.redaction import MASK

LEASE = 5.0
"""Seconds for which a process counts as one of those that share a limit after it has asked."""
PATIENCE = 1.0
"""Seconds to wait for a connection, and for an answer."""


class UnreachableError(Exception):
    """The row cannot be had now. The text says why, without secrets."""


class ReservationStore(Protocol):
    """An open connection to the row of one limit, on behalf of one process."""

    async def execute(self, request: RowRequest) -> RowState:
        """Carry a request out, atomically, and return the row after it.

        Raises:
            UnreachableError: it is not known whether it was carried out.
        """
        ...


Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[ReservationStore]]
"""Opens a connection; raises `UnreachableError`, on entering and while it is in use."""


def describe(error: BaseException, url: str) -> str:
    """Return what an error says, in a line, without the secrets of the URL."""
    first = _first(error)
    if isinstance(first, UnreachableError):
        return str(first)
    text = " ".join(str(first).split()) or "no answer in time"
    parts = urlsplit(url)
    options = [
        value for name, value in parse_qsl(parts.query) if "password" in name
    ]  # libpq and coredis take it there too
    for secret in filter(None, (url, parts.password, unquote(parts.password or ""), *options)):
        text = text.replace(secret, MASK)
    return f"{type(first).__name__}: {text}"


def _first(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
