"""A process's reserved slots of a shared limit, and the clock that times them.

Theory. The clock of the row's server is the only one that all processes share. A request sent at `sent_at` and answered at
`received_at`, both on the local clock, reads the remote clock at some time between the two. So the offset of the clocks
lies between two bounds. It moves only as far as the newest bounds demand: a slow response changes nothing, and the first
response after a clock has jumped corrects it.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

_REMEMBERED = 512
"""Number of used slots to remember: more than a process uses between a 429 and the next look at the row."""


@attrs.define
class RemoteClock:
    """The clock of the row's server, estimated from its responses."""

    offset: float = 0.0
    """Seconds by which the remote clock is ahead of the local one."""
    _is_known: bool = False

    def read(self, remote: float, *, sent_at: float, received_at: float) -> float:
        """Correct the offset from a reading; return the change in seconds."""
        least, most = remote - received_at, remote - sent_at
        before = self.offset if self._is_known else (least + most) / 2.0
        self.offset, self._is_known = min(max(before, least), most), True
        return self.offset - before


@attrs.define
class Reservations:
    """Slots: times at which one request each may start. A slot expires `grace` seconds after its time."""

    expired: int = 0
    """Number of expired slots not yet released, minus slots used after their cancellation."""
    _slots: deque[float] = attrs.field(factory=deque[float])
    _used: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_REMEMBERED))
    _grace: float = 0.0
    _counted: bool = True
    """True if the row counts these slots as taken. It does not count probes, so they are never released."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def last(self) -> float:
        """Time of the last slot; minus infinity without slots."""
        return self._slots[-1] if self._slots else -math.inf

    def add(self, now: float, first: float, *, interval: float, count: int, grace: float, counted: bool = True) -> None:
        """Add `count` slots, `interval` seconds apart. Slots in the past are due now."""
        self._grace, self._counted = grace, counted
        self._slots.extend(max(now, first + interval * number) for number in range(count))

    def delay(self, now: float) -> float:
        """Return the seconds until the next slot; infinity without slots."""
        slots = self._slots
        while slots and slots[0] + self._grace < now:
            slots.popleft()
            self.expired += self._counted
        return max(0.0, slots[0] - now) if slots else math.inf

    def take(self, *, probe: bool) -> None:
        """Use the next slot.

        Args:
            probe: Whether it is a probe, which the row does not count.
        """
        slot = self._slots.popleft()
        if not probe:
            self._used.append(slot)

    def cancel(self) -> int:
        """Cancel all slots; return the number of slots to release."""
        count = len(self._slots) if self._counted else 0
        self._slots.clear()
        return count

    def start_over(self, *, shut_at: float) -> None:
        """Cancel all slots, because another controller replaced theirs.

        Args:
            shut_at: Time at which the new controller's gate shut; infinity for an open gate. Slots that this process used
                later are missing in the new count, so it owes them to the row.
        """
        self.cancel()
        self.expired = min(self.expired, 0) - sum(slot > shut_at for slot in self._used)
        if shut_at < math.inf:
            self._used.clear()

    def release(self) -> int:
        """Return the number of expired slots, and reset it."""
        expired, self.expired = self.expired, 0
        return expired

    def move(self, seconds: float) -> None:
        """Convert all times to a clock that is `seconds` ahead of the current one."""
        if seconds:
            self._slots = deque(slot + seconds for slot in self._slots)
            self._used = deque((slot + seconds for slot in self._used), maxlen=_REMEMBERED)
