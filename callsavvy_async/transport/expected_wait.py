"""How long a request will wait for the rate limit: for events, for errors, and for the `Retry-After` of a web service.

Theory.

1.  While the rate holds requests back, the requests ahead start at the learned rate, or at the present one if it has left the
    learned one behind (`LEFT_BEHIND`). Just before a 429, the present rate is above the limit and would promise too much.
2.  While the number in flight holds requests back, or one probe is in flight after a 429, a request starts when another one
    ends. The mean time between two ends says how often that is. It counts only while requests wait, because the ends of an
    idle client say nothing.
3.  The second estimate fails no request before its deadline: a pacer may allow more requests in flight by then.
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.feedback import Signal
from callsavvy_async.policy.pacer import FULL, PacerSnapshot

LEFT_BEHIND = 1.5
"""Ratio of the present to the learned rate, from which on the learned rate is too old."""
_LONGEST_MEMORY = 100
"""Number of ends in the mean."""


@attrs.frozen
class ExpectedWait:
    """The expected wait of a request.

    Attributes:
        seconds: Expected seconds; None if unknown.
        least: Seconds that can be relied on, to fail a request before its deadline.
        ahead: Number of requests that go first.
        why: Reason of the wait.
    """

    seconds: float | None
    least: float
    ahead: int
    why: str


@attrs.define
class Ends:
    """The ends of requests while others wait."""

    between: float = 0.0
    """Mean seconds between two ends; 0 until known."""
    _count: int = 0
    last: float | None = None
    """Time of the last end; None if no request waited for it."""

    def note(self, moment: float, signal: Signal) -> None:
        """Note the end of a request. A 429 is no end, because its request waits again."""
        if signal is Signal.RATE_LIMITED:
            return
        if self.last is not None:
            self._count = min(self._count + 1, _LONGEST_MEMORY)
            self.between += (moment - self.last - self.between) / self._count
        self.last = moment

    def expect(self, known: PacerSnapshot, delay: float, ahead: int) -> ExpectedWait:
        """Return the expected wait of a request.

        Args:
            known: State of the pacer.
            delay: Seconds until the pacer allows a request; infinity if another one must end first.
            ahead: Number of requests that go first.
        """
        interval = _interval(known)
        if delay < math.inf:
            wait = delay + ahead * interval
            return ExpectedWait(wait, wait, ahead, known.why)
        turn = max(interval, self.between) if known.why.startswith(FULL) else interval
        return ExpectedWait(self.between + ahead * turn if self.between else None, 0.0, ahead, known.why)


def _interval(known: PacerSnapshot) -> float:
    """Return the seconds between two requests at the known rate; 0 while no rate is known."""
    if not known.learned_rate:
        return 0.0
    risen = known.rate is not None and known.rate > LEFT_BEHIND * known.learned_rate and not known.shut_for
    return 1.0 / (known.rate if risen and known.rate else known.learned_rate)
