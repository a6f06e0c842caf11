"""Open a connection: DNS lookup, TCP connection, TLS handshake, within the exchange's deadline."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType] - has an untyped tuple

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.native.connection import Connection, ConnectionState
from callsavvy_async.transport.native.tls import TLSConnection
from callsavvy_async.transport.native.trust import Trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe

DELAY = 0.25
"""Seconds before a connection to the host's next address starts in parallel (RFC 8305, Happy Eyeballs, 5)."""

_Address: TypeAlias = "tuple[int, int, int, str, tuple[Any, ...]]"


@attrs.frozen
class Origin:
    """A server, as scheme, host and port."""

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
        loop: Running event loop.
        origin: Server to connect to.
        trust: TLS settings.
        on_closed: See `Connection`.
        deadline: Deadline on the loop's clock.

    Raises:
        ExchangeFailedError: The connection failed; nothing was sent.
        ConfigurationError: SSL_CERT_FILE or SSL_CERT_DIR cannot be read.
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
    """Return a timeout context that ends at `deadline` on the loop's clock."""
    return asyncio.timeout_at(None if deadline == math.inf else deadline)


async def _load(loop: asyncio.AbstractEventLoop, trust: Trust) -> ssl.SSLContext:
    loaded = trust.ssl_context
    return loaded if loaded is not None else await loop.run_in_executor(None, trust.load)


async def _connect(loop: asyncio.AbstractEventLoop, connection: Connection, origin: Origin) -> None:
    sock = await connect_tcp(loop, origin.host, origin.port)
    try:
        await loop.create_connection(lambda: connection, sock=sock)
    except BaseException:
        sock.close()  # asyncio usually has closed it already
        raise


async def connect_tcp(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Look a host up and connect to the first of its addresses that accepts. A cancellation leaves no socket open.

    Raises:
        OSError: The host has no address, or all connections failed.
    """
    found: Sequence[_Address]
    try:  # a numeric address needs no thread for the lookup
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
    if isinstance(error, ValueError | OverflowError):  # an invalid host name or port
        return _failure(FailureKind.BAD_URL, detail)
    return _failure(FailureKind.CONNECT, detail)


def _failure(kind: FailureKind, detail: str) -> ExchangeFailedError:
    return ExchangeFailedError(kind, sent=False, bytes_sent=0, detail=detail)
