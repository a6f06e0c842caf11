"""The row that processes share a limit by, in memory: what Redis and PostgreSQL are held to, and what simulations use."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.reservation_protocol import NO_ROW, Booking, Change, Question, View
from callsavvy_async.transport.shared.reservation_store import LEASE


@attrs.define
class Ledger:
    """One row. Times are by its own clock."""

    version: str = NO_ROW
    law: str = ""
    slot: float = 0.0
    taken: int = 0
    untimed: int = 0
    idle: float = 0.0
    seen: dict[str, float] = attrs.field(factory=dict)

    def answer(self, now: float, process: str, question: Question) -> View:
        """Carry a question out, as the scripts do."""
        self.seen[process] = now + LEASE
        self.seen = {known: until for known, until in self.seen.items() if until > now}
        if isinstance(question, Change):
            self._change(question)
        elif question.version == self.version != NO_ROW:
            self._book(now, question)
        return View(now, self.version, self.law, self.slot, self.taken, self.untimed, self.idle, len(self.seen))

    def _change(self, change: Change) -> None:
        if change.expected == self.version:
            self.version, self.law, self.slot = change.version, change.law, change.slot
            self.taken, self.untimed, self.idle = 0, 0, 0.0

    def _book(self, now: float, booking: Booking) -> None:
        self.taken -= booking.handed_back
        if booking.count:
            earliest = now - booking.credit
            length = booking.count * booking.interval
            if booking.counted:
                self.taken += booking.count
            if booking.counted and self.slot < earliest:
                self.untimed += booking.count
                self.idle += earliest - self.slot + length
            elif booking.counted:
                self.idle += booking.held_up
            self.slot = max(self.slot, earliest) + length
