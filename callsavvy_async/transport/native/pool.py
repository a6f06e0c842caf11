"""The connections to one server in one event loop, and a bounded queue of exchanges that wait for one.

Theory. Idle connections are last in, first out: the server is least likely to have closed the one used last, and surplus
connections expire. Waiting exchanges are first in, first out: the first gets the next free connection, or the slot of a
closed one. One alarm serves all connections. Each has an expiry, the deadline of its exchange or the end of its idle
time, and the alarm is set to the earliest. So an exchange costs one comparison.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict

from callsavvy_async.transport.native.connect import Origin, connect, until
from callsavvy_async.transport.native.connection import Connection, ConnectionState
from callsavvy_async.transport.native.trust import Trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind

KEEPALIVE_EXPIRY = 4.0
"""Seconds before an idle connection is closed; short, so that the server rarely closes it first."""

_CLOSED = ConnectionState.CLOSED


class PoolTimeoutError(ExchangeFailedError):
    """All connections were in use, and the deadline passed or the queue was full."""


class ConnectionPool:
    """The connections to one server in one event loop.

    Args:
        loop: Event loop of the pool.
        origin: Server to connect to.
        trust: TLS settings.
        max_connections: Maximum number of open connections.
        max_waiting: Maximum number of exchanges that wait for one.

    Attributes:
        connections: Open connections, including idle ones.
        idle: Idle connections, the one used last at the end.
        alarm_at: Time of the alarm on the loop's clock.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, trust: Trust, *, max_connections: int, max_waiting: int
    ) -> None:
        self.connections: set[Connection] = set()
        self.idle: dict[Connection, None] = {}
        self.alarm_at: float = math.inf
        self._loop = loop
        self._origin = origin
        self._trust = trust
        self._max_waiting = max_waiting
        self._free_slots = max_connections
        """Number of connections that may still be opened."""
        self._queue: OrderedDict[asyncio.Future[Connection | None], None] = OrderedDict()
        """Waiting exchanges. A result of None is a free slot in which to open a connection."""
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Connection | None:
        """Return the idle connection used last, or None. Dead connections are closed on the way."""
        idle = self.idle
        while idle:
            connection, _ = idle.popitem()
            if connection.is_readable():  # EOF or unexpected bytes
                connection.close()
            else:
                return connection
        return None

    async def acquire(self, deadline: float) -> Connection:
        """Wait for a connection, or open one.

        Args:
            deadline: Deadline on the loop's clock.

        Raises:
            ExchangeFailedError: No connection is available; nothing was sent.
        """
        if self._free_slots > 0:
            self._free_slots -= 1
            return await self._open(deadline)
        if len(self._queue) >= self._max_waiting:
            raise _timeout("too many requests wait for a connection")
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._queue[turn] = None
        try:
            async with until(deadline):
                connection = await turn
        except BaseException as error:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled():  # a result arrived at the same moment
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise _timeout("all connections are in use") from None
            raise
        if connection is None:
            return await self._open(deadline)
        if connection.state is not _CLOSED and not connection.is_readable():
            return connection
        connection.close()  # frees its slot
        return await self.acquire(deadline)

    def set_alarm(self, at: float) -> None:
        """Set the alarm to `at`, if that is earlier."""
        if at < self.alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self.alarm_at = at
            self._alarm = self._loop.call_at(at, self._on_alarm)

    def release(self, connection: Connection) -> None:
        """Return a connection to the pool after its exchange."""
        if connection.state is _CLOSED:
            return
        if self._closed:
            connection.close()
        elif self._queue:
            self._pass_on(connection)
        else:
            connection.expires_at = expires_at = self._loop.time() + KEEPALIVE_EXPIRY
            self.idle[connection] = None
            if expires_at < self.alarm_at:
                self.set_alarm(expires_at)

    async def aclose(self) -> None:
        """Close the idle connections now, and the others after their exchanges."""
        self._closed = True
        for connection in list(self.idle):
            connection.close()
        await asyncio.sleep(0)  # lets asyncio close the sockets

    def __repr__(self) -> str:
        return f"{len(self.connections)} open, {len(self.idle)} idle"

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or a free slot, to the first waiting exchange."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():  # a cancelled exchange may still be in the queue
                turn.set_result(connection)
                return
        if connection is None:
            self._free_slots += 1
        else:
            self.release(connection)

    def _on_closed(self, connection: Connection) -> None:
        self.idle.pop(connection, None)
        if connection in self.connections:  # not while it is being opened
            self.connections.remove(connection)
            self._pass_on(None)
        if self._alarm is not None and not self.connections:
            self._alarm.cancel()
            self._alarm, self.alarm_at = None, math.inf

    def _on_alarm(self) -> None:
        now = self._loop.time()
        self._alarm, self.alarm_at = None, math.inf
        for connection in list(self.connections):
            if connection.expires_at <= now:
                connection.expire()
        if self.connections:
            self.set_alarm(min(connection.expires_at for connection in self.connections))

    async def _open(self, deadline: float) -> Connection:
        """Open a connection in a slot that the caller has taken."""
        try:
            connection = await connect(self._loop, self._origin, self._trust, self._on_closed, deadline)
        except BaseException:
            self._pass_on(None)
            raise
        self.connections.add(connection)
        return connection


def _timeout(detail: str) -> PoolTimeoutError:
    return PoolTimeoutError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail=detail)
