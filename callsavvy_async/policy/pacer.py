"""When one more request may start: pure state driven by (now, event); the shell in `transport.pacing` does the waiting.

Three quantities: a *gate* that a 429 shuts for every request at once, a *rate* (a token bucket in its GCRA form, one
number: the theoretical arrival time of the next request), and a cap on what is *in flight*.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Protocol

import attrs

from callsavvy_async.errors import ConfigurationError


class Signal(enum.Enum):
    """What an attempt taught about the API's limit."""

    ADMITTED = "admitted"
    """The API let it through, whatever it answered."""
    REFUSED = "refused"
    """429, or the API's own "come back later"."""
    FAILED = "failed"
    """No answer of the API's own: time-outs, resets, 5xx."""
    NOTHING = "nothing"
    """Cancelled, or never sent."""


@attrs.frozen
class Ticket:
    """One request on its way: when it started, in seconds of the caller's monotonic clock."""

    started_at: float


class Pacer(Protocol):
    """Decides when one more request may start. All times are seconds of one monotonic clock."""

    def delay(self, now: float) -> float:
        """Seconds until one more request may start: 0 now; more: ask again then; inf: ask again after a `done`."""
        ...

    def sent(self, now: float) -> Ticket:
        """Count one request as started."""
        ...

    def done(self, now: float, ticket: Ticket, signal: Signal, retry_after: float | None) -> float:
        """Count a request as ended, exactly once for each ticket. Returns for how long the gate was shut by it, or 0."""
        ...


@attrs.frozen
class Rate:
    """Calls per second on average, and how many may start at once after a pause."""

    per_second: float
    burst: int = 1

    @classmethod
    def parse(cls, text: str, burst: int = 1) -> Rate:
        """Read ``"10/s"``, ``"600/min"``, ``"1000/h"`` or ``"5/10s"``."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d*\.?\d*)\s*(s|sec|m|min|h|hour)\s*", text)
        if not found or not float(found[1]) or (found[2] and not float(found[2].replace(".", "0", 1) or 0)):
            raise ConfigurationError(
                f"rate is {text!r}; it must be calls per time, such as '10/s', '600/min' or '5/10s'."
            )
        if burst < 1:
            raise ConfigurationError(f"burst is {burst}; at least one call must be able to start.")
        seconds = float(found[2] or 1) * {"s": 1, "m": 60, "h": 3600}[found[3][0]]
        return cls(float(found[1]) / seconds, burst)


@attrs.define
class SimplePacer:
    """A known rate (or none), a cap on what is in flight, and the shared pause after a 429.

    Without Retry-After the pause starts at `first_pause` and doubles with every refusal that follows, until a request
    sent after the pause is admitted.
    """

    max_in_flight: int
    rate: Rate | None = None
    first_pause: float = attrs.field(default=1.0, repr=False)
    longest_pause: float = attrs.field(default=60.0, repr=False)
    in_flight: int = attrs.field(default=0, init=False)
    refusals: int = attrs.field(default=0, init=False)
    _open_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _shut_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _row_of_refusals: int = attrs.field(default=0, init=False, repr=False)
    _arrival: float = attrs.field(default=-math.inf, init=False, repr=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        if self.in_flight >= self.max_in_flight:
            return math.inf
        start = self._open_at
        if self.rate is not None:
            start = max(start, self._arrival - (self.rate.burst - 1) / self.rate.per_second)
        return max(start - now, 0.0)

    def sent(self, now: float) -> Ticket:
        """See `Pacer.sent`."""
        self.in_flight += 1
        if self.rate is not None:
            self._arrival = max(self._arrival, now) + 1 / self.rate.per_second
        return Ticket(now)

    def done(self, now: float, ticket: Ticket, signal: Signal, retry_after: float | None) -> float:
        """See `Pacer.done`."""
        self.in_flight -= 1
        if signal is Signal.ADMITTED and ticket.started_at >= self._open_at:
            self._row_of_refusals = 0
        if signal is not Signal.REFUSED:
            return 0.0
        self.refusals += 1
        # A refusal of a request from before the gate shut tells nothing new, unless the API asks for a longer pause.
        if ticket.started_at >= self._shut_at:
            self._row_of_refusals += 1
            self._shut_at = now
        if retry_after:
            opens_at = now + retry_after
        else:  # "Retry-After: 0" asks for nothing: taken at its word it would make a loop without pauses
            growing = min(self.longest_pause, self.first_pause * 2.0 ** min(self._row_of_refusals - 1, 60))
            opens_at = self._shut_at + growing
        self._open_at = max(self._open_at, opens_at)
        return max(self._open_at - now, 0.0)
