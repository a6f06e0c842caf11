"""The row of a shared limit, in memory: the reference for Redis and PostgreSQL, and the row of simulations."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.reservation_protocol import NO_ROW, Replace, Reserve, RowRequest, RowState
from callsavvy_async.transport.shared.reservation_store import LEASE


@attrs.define
class Ledger:
    """One row. Its clock gives all times."""

    version: str = NO_ROW
    controller: str = ""
    slot: float = 0.0
    taken: int = 0
    after_idle: int = 0
    idle: float = 0.0
    live_until: dict[str, float] = attrs.field(factory=dict)
    """Time at which each process's lease ends."""

    def execute(self, now: float, process: str, request: RowRequest) -> RowState:
        """Execute a request, as the database scripts do."""
        self.live_until[process] = now + LEASE
        self.live_until = {name: until for name, until in self.live_until.items() if until > now}
        if isinstance(request, Replace):
            self._replace(request)
        elif request.version == self.version != NO_ROW:
            self._reserve(now, request)
        return RowState(
            now, self.version, self.controller, self.slot, self.taken, self.after_idle, self.idle, len(self.live_until)
        )

    def _replace(self, change: Replace) -> None:
        if change.expected == self.version:
            self.version, self.controller, self.slot = change.version, change.controller, change.slot
            self.taken, self.after_idle, self.idle = 0, 0, 0.0

    def _reserve(self, now: float, reservation: Reserve) -> None:
        self.taken -= reservation.released
        if reservation.count:
            earliest = now - reservation.credit
            length = reservation.count * reservation.interval
            if reservation.counted:
                self.taken += reservation.count
            if reservation.counted and self.slot < earliest:
                self.after_idle += reservation.count
                self.idle += earliest - self.slot + length
            elif reservation.counted:
                self.idle += reservation.throttled_for
            self.slot = max(self.slot, earliest) + length
