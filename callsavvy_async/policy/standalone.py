"""The standalone mode: how a process paces its requests while the shared row is unavailable.

Theory. A process that cannot reach the row cannot see the others either. It sends at `SAFETY` of its share: the last known
rate by the last known number of processes. Example: of 100/s and 4 processes, each sends 23.75/s. A process that has never
reached the row sends at a configured rate.

Processes return to the row one by one, and the row counts only those. So for `RETURN` seconds 1 of 4 takes only a quarter.
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.fixed import FixedRate

OUT_OF_REACH = "shared limit unavailable, using a share of it"
"""`PacerSnapshot.why` in standalone mode."""
STANDALONE = -1
"""Episode of the permits of standalone mode."""
SAFETY = 0.95
"""Part of its share that a process uses, because it cannot tell the others about its 429s."""
RETURN = 3.0
"""Seconds in which all processes find the row again; longer than `LONGEST_RETRY` of the client that connects to it."""


@attrs.define
class Standalone:
    """The pacer of standalone mode, and the number of processes before and after it."""

    pacer: FixedRate | None = None
    """Paces requests in standalone mode; None while the row is available."""
    processes: int = 0
    """Number of processes in the last response of the row; 0 before the first."""
    _missed: int = 0
    """Number of processes before the row became unavailable."""
    _all_back_at: float = -math.inf

    def enter(self, now: float, *, rate: float, first_share: float, max_in_flight: int) -> None:
        """Start standalone mode with a share of `rate`, or with `first_share` if the row has never been reached."""
        self._missed = max(self.processes, self._missed if now < self._all_back_at else 0)  # some may not be back yet
        share = SAFETY * rate / self._missed if self._missed else first_share
        self.pacer = FixedRate(share, max_in_flight=max_in_flight)

    def leave(self, now: float) -> None:
        """End standalone mode."""
        self.pacer, self._all_back_at = None, now + RETURN

    def part(self, now: float) -> float:
        """Return the part of the rate that the processes in the row may use while others are still missing."""
        return min(1.0, self.processes / self._missed) if self._missed and now < self._all_back_at else 1.0
