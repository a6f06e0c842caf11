"""Queues in virtual time: a heap of events, stations with servers, and a log with group commits."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

Then = Callable[[], object]


class Clock:
    """Events in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._order = count()

    def after(self, seconds: float, then: Then) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), then))

    def run(self, until: Callable[[], bool]) -> None:
        while self._events and not until():
            self.now, _, then = heapq.heappop(self._events)
            then()


class Station:
    """A queue for some servers."""

    def __init__(self, clock: Clock, servers: int = 1) -> None:
        self._clock, self._free, self._servers = clock, servers, servers
        self._queue: deque[tuple[float, Then]] = deque()
        self._busy = 0.0

    def serve(self, seconds: float, then: Then) -> None:
        self._queue.append((seconds, then))
        self._start()

    def _start(self) -> None:
        while self._free and self._queue:
            seconds, then = self._queue.popleft()
            self._free -= 1
            self._busy += seconds
            self._clock.after(seconds, lambda then=then: self._end(then))

    def _end(self, then: Then) -> None:
        self._free += 1
        then()
        self._start()

    @property
    def busy(self) -> float:
        return self._busy / self._servers


class Log:
    """The database's log. The next flush serves all commits that arrive during the current one."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._waiting: list[Then] = []
        self._flushing = False
        self.busy = 0.0

    def flush(self, then: Then) -> None:
        self._waiting.append(then)
        if not self._flushing:
            self._start()

    def _start(self) -> None:
        taken, self._waiting = self._waiting, []
        self._flushing = bool(taken)
        if taken:
            self.busy += self._seconds
            self._clock.after(self._seconds, lambda: self._end(taken))

    def _end(self, taken: list[Then]) -> None:
        for then in taken:
            then()
        self._start()
