"""A process's copy of the controller in the shared row, on the local clock.

The copy changes only with the row: a new version replaces it, and in between it follows the row's counts. So all
processes have the same copy, whatever responses each of them received.
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.rate_controller import RateController
from callsavvy_async.policy.reservation_protocol import RowState, read_controller, write_controller
from callsavvy_async.policy.reservations import RemoteClock

UNKNOWN = "?"
"""The version to send when the row must be read again."""


@attrs.define
class ControllerReplica:
    """The rate controller and the gate in the row, and where the next reservation begins."""

    rate: RateController = attrs.field(factory=RateController)
    gate: Gate = attrs.field(factory=Gate)
    version: str = UNKNOWN
    slot: float = -math.inf
    """Start of the next reservation, on the local clock."""
    _clock: RemoteClock = attrs.field(factory=RemoteClock)
    _taken: int = 0
    _after_idle: int = 0
    _idle: float = 0.0

    def set_clock(self, row: RowState, *, sent_at: float, received_at: float) -> float:
        """Read the row's clock; return the seconds by which all times of the row have moved.

        Raises:
            ValueError: The row contains a non-finite timestamp.
        """
        if not math.isfinite(row.now + row.slot + row.idle):
            raise ValueError("the row of the shared limit contains a timestamp that is not finite")
        seconds = -self._clock.read(row.now, sent_at=sent_at, received_at=received_at)
        self.rate.move(seconds)
        self.gate.move(seconds)
        self.slot += seconds
        return seconds

    def begin_with(self, rate: RateController) -> None:
        """Use a controller that has not run yet, for a row without one."""
        self.rate, self.slot = rate, -math.inf

    def adopt(self, now: float, row: RowState) -> bool:
        """Copy the row's controller. Return False if the row has none, and prepare this one for writing."""
        found = read_controller(row.controller)
        self.version = row.version
        self._taken, self._after_idle, self._idle = row.taken, row.after_idle, row.idle
        if found is None:
            self.rate.begin(now)
            if -math.inf < self.slot < now and not self.gate.shut:  # a probe counts its own idle time
                self.rate.reserved(0, idle=now - self.slot)
            return False
        configured = self.rate
        self.rate, self.gate = found
        self.rate.reserved(row.taken, after_idle=row.after_idle, idle=row.idle)
        self.rate.move(-self._clock.offset)
        self.gate.move(-self._clock.offset)
        self.rate.limit_as(configured)
        return True

    def count(self, row: RowState) -> None:
        """Count the slots that all processes have reserved since the last response."""
        self.rate.reserved(
            row.taken - self._taken, after_idle=row.after_idle - self._after_idle, idle=row.idle - self._idle
        )
        self._taken, self._after_idle, self._idle = row.taken, row.after_idle, row.idle
        self.slot = row.slot - self._clock.offset

    def write(self, now: float) -> tuple[str, float]:
        """Return the controller's text, and the start of the next reservation, on the row's clock."""
        opens_at = max(now, self.gate.opens_at) if self.gate.shut else now
        rate, gate = attrs.evolve(self.rate), attrs.evolve(self.gate, probing=False)
        rate.move(self._clock.offset)
        gate.move(self._clock.offset)
        return write_controller(rate, gate), opens_at + self._clock.offset

    def reserved_ahead(self, now: float) -> int:
        """Return how many requests of all processes are counted but have not started yet."""
        return int((self.slot - now) * self.rate.rate) if self.slot > now and not self.gate.shut else 0

    def forget(self, now: float, *, expired: int) -> None:
        """Continue without the row: take back the requests reserved ahead and the `expired` slots."""
        self.rate.reserved(-self.reserved_ahead(now) - expired)
        self.slot, self.version = min(self.slot, now), UNKNOWN
