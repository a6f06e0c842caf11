"""Open a lane: connect, shake hands, all in the exchange's time. No byte of a request leaves."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable

import attrs

from callsavvy_async.transport.backends.happy_eyeballs import connect_tcp
from callsavvy_async.transport.backends.lane import Lane
from callsavvy_async.transport.backends.lane_tls import TlsLane, Trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe


@attrs.frozen
class Origin:
    """A server: what a lane is connected to."""

    secure: bool
    host: str
    port: int


async def connect(
    loop: asyncio.AbstractEventLoop,
    origin: Origin,
    trust: Trust,
    on_closed: Callable[[Lane], None],
    deadline: float,
) -> Lane:
    """Open a lane.

    Args:
        loop: the running event loop.
        origin: where to.
        trust: TLS settings.
        on_closed: see `Lane`.
        deadline: when to give up, on the loop's clock.

    Raises:
        ExchangeFailedError: it cannot be had; nothing was sent.
    """
    limit = until(deadline)
    lane: Lane | None = None
    try:
        async with limit:
            context = await trust.context() if origin.secure else None
            lane = TlsLane(loop, on_closed, context, origin.host) if context else Lane(loop, on_closed)
            await _connect(loop, lane, origin)
            if isinstance(lane, TlsLane):
                await lane.shake_hands()
        if lane.is_open:
            lane.due = deadline
            return lane
        failure = _failure(FailureKind.CONNECT, "closed at once")
    except BaseException as error:
        if lane is not None:
            lane.close()
        if not isinstance(error, Exception):
            raise
        failure = _explain(error, late=limit.expired())
        failure.__cause__ = error
    raise failure


def until(deadline: float) -> asyncio.Timeout:
    """Return a context that ends at `deadline` on the loop's clock."""
    return asyncio.timeout_at(None if deadline == math.inf else deadline)


async def _connect(loop: asyncio.AbstractEventLoop, lane: Lane, origin: Origin) -> None:
    sock = await connect_tcp(loop, origin.host, origin.port)
    try:
        await loop.create_connection(lambda: lane, sock=sock)
    except BaseException:
        sock.close()  # as a rule asyncio has done it
        raise


def _explain(error: Exception, *, late: bool) -> ExchangeFailedError:
    if late and isinstance(error, TimeoutError):
        return _failure(FailureKind.TIMEOUT, "while connecting")
    detail = describe(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _failure(FailureKind.CERTIFICATE, detail)
    if isinstance(error, OSError):
        return _failure(FailureKind.CONNECT, detail)
    return _failure(FailureKind.BAD_URL, detail)  # a host name or a port that cannot be


def _failure(kind: FailureKind, detail: str) -> ExchangeFailedError:
    return ExchangeFailedError(kind, sent=False, bytes_sent=0, detail=detail)
