"""Pacers that are told what to keep to: a rate that is known, or only a number in flight.

Theory. `FixedRate` is a token bucket in its GCRA form (ITU-T I.371), one number: the theoretical arrival time of the next
request. Both pacers learn nothing but the shared pause after a refusal. With Retry-After that is exact. Without, it
starts at `FIRST_PAUSE` and doubles with every refusal that follows, until a request sent after the pause is admitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import FULL, MAX_IN_FLIGHT, PacerSnapshot, at_least_one

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds."""

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d*\.?\d*)\s*(s|sec|m|min|h|hour)\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_rate(text: str) -> float:
    """Read ``"10/s"``, ``"600/min"``, ``"1000/h"`` or ``"5/10s"`` as requests per second.

    Raises:
        ConfigurationError: for anything else.
    """
    found = _RATE.fullmatch(text)
    if not found or not float(found[1]) or (found[2] and not float(found[2].replace(".", "0", 1) or 0)):
        raise ConfigurationError(
            f"rate is {text!r}; it must be requests per time, such as '10/s', '600/min' or '5/10s'."
        )
    return float(found[1]) / (float(found[2] or 1) * _SECONDS[found[3][0]])


@attrs.define
class _Pause:
    """The growing pause after refusals."""

    ends_at: float = -math.inf
    _began: float = -math.inf
    _refusals_in_a_row: int = 0

    def rate_limited(self, now: float, *, sent_at: float, retry_after: float | None) -> None:
        # What was sent before the pause began tells nothing new, unless the API asks for longer.
        if sent_at >= self._began:
            self._refusals_in_a_row += 1
            self._began = now
        growing = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._refusals_in_a_row - 1, 60))
        self.ends_at = max(self.ends_at, self._began + growing if retry_after is None else now + retry_after)

    def admitted(self, *, sent_at: float) -> None:
        if sent_at >= self.ends_at:
            self._refusals_in_a_row = 0


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)  # else every count is validated, ten requests a request
class _ConfiguredPacer:
    """What both share: the count of what is in flight, and the pause."""

    max_in_flight: int = attrs.field(default=MAX_IN_FLIGHT, validator=at_least_one)
    _pause: _Pause = attrs.field(factory=_Pause, init=False, repr=False)
    _in_flight: int = attrs.field(default=0, init=False, repr=False)
    _sent: int = attrs.field(default=0, init=False, repr=False)
    _rate_limited: int = attrs.field(default=0, init=False, repr=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        return math.inf if self._in_flight >= self.max_in_flight else max(0.0, self._pause.ends_at - now)

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        self._in_flight += 1
        self._sent += 1
        return Permit(now, self._in_flight)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """See `Pacer.done`."""
        self._in_flight -= 1
        if feedback.signal is Signal.ADMITTED:
            self._pause.admitted(sent_at=permit.sent_at)
        elif feedback.signal is Signal.RATE_LIMITED:
            self._rate_limited += 1
            self._pause.rate_limited(now, sent_at=permit.sent_at, retry_after=feedback.retry_after)

    def restore(self, learned: Mapping[str, object]) -> None:
        """Do nothing: this pacer learns nothing that lasts."""

    def _snapshot(self, now: float, *, rate: float | None, why: str) -> PacerSnapshot:
        shut_for = max(0.0, self._pause.ends_at - now)
        if shut_for:
            why = "refused, gate shut"
        elif self._in_flight >= self.max_in_flight:
            why = FULL
        return PacerSnapshot(
            rate, self._in_flight, self.max_in_flight, shut_for, self._sent, self._rate_limited, why, learned_rate=rate
        )


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)
class Unlimited(_ConfiguredPacer):
    """Start whatever fits into `max_in_flight`, and pause only when the API refuses.

    Raises:
        ConfigurationError: when `max_in_flight` lets no call start.
    """

    def snapshot(self, now: float) -> PacerSnapshot:
        """See `Pacer.snapshot`."""
        return self._snapshot(now, rate=None, why="no limit")


def per_second(rate: str | float) -> float:
    """Return a rate, if need be read from ``"10/s"``, as requests per second (an attrs converter)."""
    return parse_rate(rate) if isinstance(rate, str) else rate


def positive_rate(_: object, field: attrs.Attribute[float], value: float) -> None:
    """Check a rate (an attrs validator).

    Raises:
        ConfigurationError: it is none.
    """
    if not 0.0 < value < math.inf:
        raise ConfigurationError(
            f"{field.name} is {value}; it must be a positive number of requests per second, or '10/s'."
        )


@attrs.define(on_setattr=attrs.setters.NO_OP)
class FixedRate(_ConfiguredPacer):
    """Keep to a rate that is known.

    Args:
        rate: requests per time, such as ``"10/s"`` or ``"600/min"``, or a number of requests per second.
        burst: requests that may start at once after a pause.
        max_in_flight: most requests on their way at a time.

    Raises:
        ConfigurationError: naming the value that cannot work.
    """

    rate: float = attrs.field(converter=per_second, validator=positive_rate)
    burst: int = attrs.field(default=1, validator=at_least_one, kw_only=True)
    _arrival: float = attrs.field(default=-math.inf, init=False, repr=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        return max(super().delay(now), self._arrival - (self.burst - 1) / self.rate - now)

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        self._arrival = max(self._arrival, now) + 1.0 / self.rate
        return super().sent(now)

    def snapshot(self, now: float) -> PacerSnapshot:
        """See `Pacer.snapshot`."""
        return self._snapshot(now, rate=self.rate, why="fixed rate")
