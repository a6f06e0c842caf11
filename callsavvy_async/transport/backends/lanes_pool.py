"""The lanes to one server in one event loop: idle ones last in, first out; a bounded queue where all are taken.

Theory. The lane used last is the least likely to have been closed by the server meanwhile, and those that are not needed
grow old together and are closed. Whoever waits is served in turn: a lane that comes free goes to the first in the queue,
and so does the place of a lane that was closed. One alarm serves all: every lane says when it is due, the end of its
exchange or of its idle life, and the alarm is set to the earliest. An exchange costs it one comparison.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict

from callsavvy_async.transport.backends.lane import Lane
from callsavvy_async.transport.backends.lane_connect import Origin, connect, until
from callsavvy_async.transport.backends.lane_tls import Trust
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind

KEEPALIVE_EXPIRY = 4.0
"""Seconds that an idle lane is kept: short, so that the race with the server closing it stays rare."""


class NoFreeLaneError(ExchangeFailedError):
    """All lanes were taken, and none came free in time, or too many waited already."""


class LanePool:
    """The lanes to one server in one event loop.

    Args:
        loop: the event loop.
        origin: the server.
        trust: TLS settings.
        max_lanes: how many may be open at a time.
        max_waiting: how many exchanges may wait for one.

    Attributes:
        lanes: those that are connected, idle ones among them.
        idle: those that wait for work, the one used last at the end.
        alarm_at: when, on the loop's clock, the alarm goes off.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, trust: Trust, *, max_lanes: int, max_waiting: int
    ) -> None:
        self.lanes: set[Lane] = set()
        self.idle: dict[Lane, None] = {}
        self.alarm_at = math.inf
        self._loop = loop
        self._origin = origin
        self._trust = trust
        self._max_waiting = max_waiting
        self._places = max_lanes
        """Lanes that may still be opened."""
        self._queue: OrderedDict[asyncio.Future[Lane | None], None] = OrderedDict()
        """None says: a place is yours, open a lane."""
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Lane | None:
        """Take the idle lane used last, if there is one; dead ones found on the way are closed."""
        idle = self.idle
        while idle:
            lane, _ = idle.popitem()
            if lane.has_news():  # EOF or garbage that the event loop has not read yet
                lane.close()
            else:
                return lane
        return None

    async def acquire(self, deadline: float) -> Lane:
        """Wait for a lane, or open one.

        Args:
            deadline: when to give up, on the loop's clock.

        Raises:
            ExchangeFailedError: there is none; nothing was sent.
        """
        if self._places > 0:
            self._places -= 1
            return await self._open(deadline)
        if len(self._queue) >= self._max_waiting:
            raise NoFreeLaneError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail="too many wait for a lane")
        turn: asyncio.Future[Lane | None] = self._loop.create_future()
        self._queue[turn] = None
        try:
            async with until(deadline):
                lane = await turn
        except BaseException as error:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                detail = "no lane came free"
                raise NoFreeLaneError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail=detail) from None
            raise
        if lane is None:
            return await self._open(deadline)
        if lane.is_open and not lane.has_news():
            return lane
        lane.close()  # which frees its place
        return await self.acquire(deadline)

    def watch(self, due: float) -> None:
        """Have the alarm go off by then."""
        if due < self.alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self.alarm_at = due
            self._alarm = self._loop.call_at(due, self._on_alarm)

    def give_back(self, lane: Lane) -> None:
        """Take a lane back whose exchange is over."""
        if not lane.is_open:
            return
        if self._closed:
            lane.close()
        elif self._queue:
            self._pass_on(lane)
        else:
            lane.due = due = self._loop.time() + KEEPALIVE_EXPIRY
            self.idle[lane] = None
            if due < self.alarm_at:
                self.watch(due)

    async def aclose(self) -> None:
        """Close the idle lanes and wait for it; close the others when their exchanges are over."""
        self._closed = True
        for lane in list(self.idle):
            lane.close()
        await asyncio.sleep(0)  # in which asyncio closes the sockets

    def __repr__(self) -> str:
        return f"{len(self.lanes)} open, {len(self.idle)} idle"

    def _pass_on(self, lane: Lane | None) -> None:
        """Give a lane, or the place of one, to the first in the queue."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():  # cancelled, its coroutine has not run since to leave the queue
                turn.set_result(lane)
                return
        if lane is None:
            self._places += 1
        else:
            self.give_back(lane)

    def _on_closed(self, lane: Lane) -> None:
        self.idle.pop(lane, None)
        if lane in self.lanes:  # and does not just try to become one
            self.lanes.remove(lane)
            self._pass_on(None)
        if self._alarm is not None and not self.lanes:
            self._alarm.cancel()
            self._alarm, self.alarm_at = None, math.inf

    def _on_alarm(self) -> None:
        now = self._loop.time()
        self._alarm, self.alarm_at = None, math.inf
        for lane in list(self.lanes):
            if lane.due <= now:
                lane.expire()
        if self.lanes:
            self.watch(min(lane.due for lane in self.lanes))

    async def _open(self, deadline: float) -> Lane:
        """Open a lane in a place that was taken for it."""
        try:
            lane = await connect(self._loop, self._origin, self._trust, self._on_closed, deadline)
        except BaseException:
            self._pass_on(None)
            raise
        self.lanes.add(lane)
        return lane
