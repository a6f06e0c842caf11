"""A process's copy of the controller that the row keeps, by the local clock.

It changes only as the row does: a new version replaces it, and in between it follows the row's counts. So all copies are
the same, whatever the process itself has seen.
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.rate_controller import RateController
from callsavvy_async.policy.reservation_protocol import RowState, read_controller, write_controller
from callsavvy_async.policy.reservations import RemoteClock

UNKNOWN = "?"
"""The version of a row that has to be read anew."""


@attrs.define
class ControllerReplica:
    """What is known of the row, and when it was learned."""

    rate: RateController = attrs.field(factory=RateController)
    gate: Gate = attrs.field(factory=Gate)
    version: str = UNKNOWN
    slot: float = -math.inf
    """When the next reservation begins, by the local clock."""
    _clock: RemoteClock = attrs.field(factory=RemoteClock)
    _taken: int = 0
    _after_idle: int = 0
    _idle: float = 0.0

    def set_clock(self, view: RowState, *, sent_at: float, received_at: float) -> float:
        """Take note of the row's clock; return by how many seconds all times of the row have moved.

        Raises:
            ValueError: the row's times are none. Slots at such would all be due at once, or never.
        """
        if not math.isfinite(view.now + view.slot + view.idle):
            raise ValueError("the row has times that are none")
        seconds = -self._clock.read(view.now, sent_at=sent_at, received_at=received_at)
        self._move(seconds)
        return seconds

    def begin_with(self, rate: RateController) -> None:
        """Have a controller that has not run yet, for a row that has none."""
        self.rate, self.slot = rate, -math.inf

    def adopt(self, now: float, view: RowState) -> bool:
        """Take over the controller of the row; or return that it has none, and make ready to give it this one."""
        found = read_controller(view.controller, type(self.rate))
        self.version = view.version
        self._taken, self._after_idle, self._idle = view.taken, view.after_idle, view.idle
        if found is None:
            self.rate.begin(now)
            if -math.inf < self.slot < now and not self.gate.shut:  # a gate's probe counts the idle time itself
                self.rate.reserved(0, idle=now - self.slot)
            return False
        configured = self.rate
        self.rate, self.gate = found
        self.rate.reserved(view.taken, after_idle=view.after_idle, idle=view.idle)
        self.rate.move(-self._clock.offset)
        self.gate.move(-self._clock.offset)
        self.rate.limit_as(configured)
        return True

    def count(self, view: RowState) -> None:
        """Follow what was reserved, here and elsewhere."""
        self.rate.reserved(
            view.taken - self._taken, after_idle=view.after_idle - self._after_idle, idle=view.idle - self._idle
        )
        self._taken, self._after_idle, self._idle = view.taken, view.after_idle, view.idle
        self.slot = view.slot - self._clock.offset

    def write(self, now: float) -> tuple[str, float]:
        """Return the text of the controller for the row, and where reservations go on, by the row's clock."""
        opens_at = max(now, self.gate.opens_at) if self.gate.shut else now
        rate, gate = attrs.evolve(self.rate), attrs.evolve(self.gate, probing=False)
        rate.move(self._clock.offset)
        gate.move(self._clock.offset)
        return write_controller(rate, gate), opens_at + self._clock.offset

    def reserved_ahead(self, now: float) -> int:
        """Return how many requests have been counted, here and elsewhere, that have not started yet."""
        return int((self.slot - now) * self.rate.rate) if self.slot > now and not self.gate.shut else 0

    def forget(self, now: float, *, expired: int) -> None:
        """Go on without the row: what was reserved ahead will not be sent, and `expired` slots were not."""
        self.rate.reserved(-self.reserved_ahead(now) - expired)
        self.slot, self.version = min(self.slot, now), UNKNOWN

    def _move(self, seconds: float) -> None:
        self.rate.move(seconds)
        self.gate.move(seconds)
        self.slot += seconds
