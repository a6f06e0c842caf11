"""Open a connection: look the host up, connect, shake hands, all in the exchange's time. No byte of a request leaves."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType] - a tuple of anything

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.native.connection import Connection, ConnectionState
from callsavvy_async.transport.native.tls import TLSConnection
from callsavvy_async.transport.native.trust import Trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe

DELAY = 0.25
"""Seconds before the next address of a host is tried beside the last (RFC 8305, Happy Eyeballs, 5)."""

_Address: TypeAlias = "tuple[int, int, int, str, tuple[Any, ...]]"


@attrs.frozen
class Origin:
    """A server: what a connection leads to."""

    secure: bool
    host: str
    port: int


async def connect(
    loop: asyncio.AbstractEventLoop,
    origin: Origin,
    trust: Trust,
    on_closed: Callable[[Connection], None],
    deadline: float,
) -> Connection:
    """Open a connection.

    Args:
        loop: the running event loop.
        origin: where to.
        trust: TLS settings.
        on_closed: see `Connection`.
        deadline: when to give up, on the loop's clock.

    Raises:
        ExchangeFailedError: it cannot be had; nothing was sent.
        ConfigurationError: what the environment says to trust cannot be read.
    """
    limit = until(deadline)
    connection: Connection | None = None
    try:
        async with limit:
            ssl_context = await _load(loop, trust) if origin.secure else None
            connection = (
                TLSConnection(loop, on_closed, ssl_context, origin.host) if ssl_context else Connection(loop, on_closed)
            )
            await _connect(loop, connection, origin)
            if isinstance(connection, TLSConnection):
                await connection.do_handshake()
        if connection.state is not ConnectionState.CLOSED:
            connection.expires_at = deadline
            return connection
        failure = _failure(FailureKind.CONNECT, "closed at once")
    except BaseException as error:
        if connection is not None:
            connection.close()
        if not isinstance(error, Exception) or isinstance(error, ConfigurationError):
            raise
        failure = _explain(error, late=limit.expired())
        failure.__cause__ = error
    raise failure


def until(deadline: float) -> asyncio.Timeout:
    """Return a context that ends at `deadline` on the loop's clock."""
    return asyncio.timeout_at(None if deadline == math.inf else deadline)


async def _load(loop: asyncio.AbstractEventLoop, trust: Trust) -> ssl.SSLContext:
    loaded = trust.ssl_context
    return loaded if loaded is not None else await loop.run_in_executor(None, trust.load)


async def _connect(loop: asyncio.AbstractEventLoop, connection: Connection, origin: Origin) -> None:
    sock = await connect_tcp(loop, origin.host, origin.port)
    try:
        await loop.create_connection(lambda: connection, sock=sock)
    except BaseException:
        sock.close()  # as a rule asyncio has done it
        raise


async def connect_tcp(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Look a host up and connect to whichever of its addresses answers first. Cancelling it leaves nothing open.

    Raises:
        OSError: the host has no address, or none of them could be reached.
    """
    found: Sequence[_Address]
    try:  # an address needs no look-up, and so no thread
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await start_connection(found, happy_eyeballs_delay=DELAY, loop=loop)


def _explain(error: Exception, *, late: bool) -> ExchangeFailedError:
    if late and isinstance(error, TimeoutError):
        return _failure(FailureKind.TIMEOUT, "while connecting")
    detail = describe(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _failure(FailureKind.CERTIFICATE, detail)
    if isinstance(error, ValueError | OverflowError):  # a host name or a port that cannot be
        return _failure(FailureKind.BAD_URL, detail)
    return _failure(FailureKind.CONNECT, detail)


def _failure(kind: FailureKind, detail: str) -> ExchangeFailedError:
    return ExchangeFailedError(kind, sent=False, bytes_sent=0, detail=detail)
