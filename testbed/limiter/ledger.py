"""The row that processes share a limit by, in memory: what Redis and PostgreSQL are held to, and what simulations use."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.reservation_protocol import NO_ROW, Replace, Reserve, RowRequest, RowState
from callsavvy_async.transport.shared.reservation_store import LEASE


@attrs.define
class Ledger:
    """One row. Times are by its own clock."""

    version: str = NO_ROW
    controller: str = ""
    slot: float = 0.0
    taken: int = 0
    after_idle: int = 0
    idle: float = 0.0
    seen: dict[str, float] = attrs.field(factory=dict)

    def execute(self, now: float, process: str, request: RowRequest) -> RowState:
        """Carry a request out, as the scripts do."""
        self.seen[process] = now + LEASE
        self.seen = {known: until for known, until in self.seen.items() if until > now}
        if isinstance(request, Replace):
            self._change(request)
        elif request.version == self.version != NO_ROW:
            self._book(now, request)
        return RowState(
            now, self.version, self.controller, self.slot, self.taken, self.after_idle, self.idle, len(self.seen)
        )

    def _change(self, change: Replace) -> None:
        if change.expected == self.version:
            self.version, self.controller, self.slot = change.version, change.controller, change.slot
            self.taken, self.after_idle, self.idle = 0, 0, 0.0

    def _book(self, now: float, reservation: Reserve) -> None:
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
