"""What a process holds of a limit that it shares: slots that were reserved for it, and the clock by which they count.

Theory. The clock of whoever keeps the reservations is the only one that all processes share. An answer that was asked for at
`sent_at` and came at `received_at`, both by the local clock, shows the remote clock somewhere between the two; so the offset
of the clocks lies between two bounds. It is moved only as far as the newest bounds demand: a slow answer then changes
nothing, and a clock that has jumped is corrected with the first answer after it.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

_REMEMBERED = 512
"""Slots that were used: more than are between a refusal and the look that tells of it."""


@attrs.define
class RemoteClock:
    """The clock of whoever keeps the reservations, as far as its answers tell."""

    offset: float = 0.0
    """Seconds by which it is ahead of the local clock."""
    _is_known: bool = False

    def read(self, remote: float, *, sent_at: float, received_at: float) -> float:
        """Take note of a reading; return by how many seconds the offset has changed since the first."""
        least, most = remote - received_at, remote - sent_at
        before = self.offset if self._is_known else (least + most) / 2.0
        self.offset, self._is_known = min(max(before, least), most), True
        return self.offset - before


@attrs.define
class Reservations:
    """Slots: times at which one request each may start. They lapse when they are not used `grace` seconds later."""

    expired: int = 0
    """Slots that came to nothing and have not been handed back yet; less those that were used though given up by others."""
    _slots: deque[float] = attrs.field(factory=deque[float])
    _used: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_REMEMBERED))
    _grace: float = 0.0
    _counted: bool = True
    """Whether the row counts these slots as taken; it does not count probes, and none of them is handed back."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def last(self) -> float:
        """When the last slot begins; minus infinity when there is none."""
        return self._slots[-1] if self._slots else -math.inf

    def add(self, now: float, first: float, *, interval: float, count: int, grace: float, counted: bool = True) -> None:
        """Take in `count` slots, `interval` seconds apart. Those that are due already may be used from now on."""
        self._grace, self._counted = grace, counted
        self._slots.extend(max(now, first + interval * number) for number in range(count))

    def delay(self, now: float) -> float:
        """Return the seconds until the next slot; infinity when there is none."""
        slots = self._slots
        while slots and slots[0] + self._grace < now:
            slots.popleft()
            self.expired += self._counted
        return max(0.0, slots[0] - now) if slots else math.inf

    def take(self, *, probe: bool = False) -> None:
        """Use the next slot."""
        slot = self._slots.popleft()
        if not probe:
            self._used.append(slot)

    def cancel(self) -> int:
        """Give all of them up; returns how many of them are to be handed back."""
        count = len(self._slots) if self._counted else 0
        self._slots.clear()
        return count

    def start_over(self, *, shut_at: float) -> None:
        """Give all up for another controller.

        Args:
            shut_at: when its gate shut, infinity for an open one. Slots that were used after that, before this process
                knew, are not in its count: they are owed to the row.
        """
        self.cancel()
        self.expired = min(self.expired, 0) - sum(slot > shut_at for slot in self._used)
        if shut_at < math.inf:
            self._used.clear()

    def release(self) -> int:
        """Return how many slots came to nothing, and forget them."""
        expired, self.expired = self.expired, 0
        return expired

    def move(self, seconds: float) -> None:
        """Keep the same times on another clock, which is that much ahead of the one so far."""
        if seconds:
            self._slots = deque(slot + seconds for slot in self._slots)
            self._used = deque((slot + seconds for slot in self._used), maxlen=_REMEMBERED)
