"""The connections to one server in one event loop: idle ones last in, first out; a bounded queue where all are taken.

Theory. The connection used last is the least likely to have been closed by the server meanwhile, and those that are not
needed grow old together and are closed. Waiters are served in turn: a connection that comes free goes to the first in the
queue, and so does the place of one that was closed. One alarm serves all: every connection says when it expires, at the
end of its exchange or of its idle life, and the alarm is set to the earliest. An exchange costs it one comparison.
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
"""Seconds that an idle connection is kept: short, so that the race with the server closing it stays rare."""

_CLOSED = ConnectionState.CLOSED


class PoolTimeoutError(ExchangeFailedError):
    """All connections were taken, and none came free in time, or too many waited already."""


class ConnectionPool:
    """The connections to one server in one event loop.

    Args:
        loop: the event loop.
        origin: the server.
        trust: TLS settings.
        max_connections: how many may be open at a time.
        max_waiting: how many exchanges may wait for one.

    Attributes:
        connections: those that are connected, idle ones among them.
        idle: those that wait for a request, the one used last at the end.
        alarm_at: when, on the loop's clock, the alarm goes off.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, trust: Trust, *, max_connections: int, max_waiting: int
    ) -> None:
        self.connections: set[Connection] = set()
        self.idle: dict[Connection, None] = {}
        self.alarm_at = math.inf
        self._loop = loop
        self._origin = origin
        self._trust = trust
        self._max_waiting = max_waiting
        self._places = max_connections
        """Connections that may still be opened."""
        self._queue: OrderedDict[asyncio.Future[Connection | None], None] = OrderedDict()
        """None says: a place is yours, open a connection."""
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Connection | None:
        """Take the idle connection used last, if there is one; dead ones found on the way are closed."""
        idle = self.idle
        while idle:
            connection, _ = idle.popitem()
            if connection.is_readable():  # EOF or garbage that the event loop has not read yet
                connection.close()
            else:
                return connection
        return None

    async def acquire(self, deadline: float) -> Connection:
        """Wait for a connection, or open one.

        Args:
            deadline: when to give up, on the loop's clock.

        Raises:
            ExchangeFailedError: there is none; nothing was sent.
        """
        if self._places > 0:
            self._places -= 1
            return await self._open(deadline)
        if len(self._queue) >= self._max_waiting:
            raise _timeout("too many wait for a connection")
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._queue[turn] = None
        try:
            async with until(deadline):
                connection = await turn
        except BaseException as error:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise _timeout("no connection came free") from None
            raise
        if connection is None:
            return await self._open(deadline)
        if connection.state is not _CLOSED and not connection.is_readable():
            return connection
        connection.close()  # which frees its place
        return await self.acquire(deadline)

    def set_alarm(self, at: float) -> None:
        """Have the alarm go off by then."""
        if at < self.alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self.alarm_at = at
            self._alarm = self._loop.call_at(at, self._on_alarm)

    def release(self, connection: Connection) -> None:
        """Take a connection back whose exchange is over."""
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
        """Close the idle connections and wait for it; close the others when their exchanges are over."""
        self._closed = True
        for connection in list(self.idle):
            connection.close()
        await asyncio.sleep(0)  # in which asyncio closes the sockets

    def __repr__(self) -> str:
        return f"{len(self.connections)} open, {len(self.idle)} idle"

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or the place of one, to the first in the queue."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():  # cancelled, its coroutine has not run since to leave the queue
                turn.set_result(connection)
                return
        if connection is None:
            self._places += 1
        else:
            self.release(connection)

    def _on_closed(self, connection: Connection) -> None:
        self.idle.pop(connection, None)
        if connection in self.connections:  # and does not just try to become one
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
        """Open a connection in a place that was taken for it."""
        try:
            connection = await connect(self._loop, self._origin, self._trust, self._on_closed, deadline)
        except BaseException:
            self._pass_on(None)
            raise
        self.connections.add(connection)
        return connection


def _timeout(detail: str) -> PoolTimeoutError:
    return PoolTimeoutError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail=detail)
