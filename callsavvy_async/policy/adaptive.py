"""The pacer that finds an undocumented limit.

It combines three controllers, each with its theory in its own module: the gate (`gate`), which a 429 shuts for all
requests; the rate (`rate_controller`); and the number in flight (`concurrency_controller`).

-   A 429 counts against the rate unless the number in flight explains it.
-   Each request belongs to the gate's *episode* in which it was sent. Only the first 429 of an episode teaches anything;
    later ones repeat it.
-   Rate-limit headers only ever slow the client down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.concurrency_controller import START_LIMIT, ConcurrencyController
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.pacer import (
    BY_429S,
    BY_LATENCY,
    FULL,
    MAX_IN_FLIGHT,
    RATE_LIMITED,
    PacerSnapshot,
    at_least_one,
)
from callsavvy_async.policy.rate_controller import (
    COUNT_ERROR,
    DEEPEST_DIP,
    LONGEST_WINDOW,
    PERIOD,
    RISE,
    WINDOW_PERIOD,
    RateController,
)
from callsavvy_async.policy.ratelimit_headers import RateLimitHints

RESUMED_PERIOD = 1.5 * PERIOD
"""Seconds: the first period after `restore`. A process probes beyond the limit of an earlier one after 40 s, not after 28."""
SLOWEST, FASTEST = 1e-4, 1e6
"""Bounds of plausible rates, windows and numbers in flight. A damaged memory must not stop a client for hours."""

# bound once: an enum lookup takes 1,000 instructions on CPython 3.11
_ADMITTED, _RATE_LIMITED, _FAILED = Signal.ADMITTED, Signal.RATE_LIMITED, Signal.FAILED


def _path(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and value is not False and (not isinstance(value, str | PurePath) or not str(value)):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be the path of a file, or False or None.")


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)  # validated once, in __init__: counters are on the hot path
class Adaptive:
    """Find an undocumented limit, use nearly all of it, and notice when it changes.

    Args:
        max_in_flight: Maximum number of requests in flight, whatever the controller learns.
        remember: File in which the client keeps what it has learned for the next process, by account and server. None: only
            campaigns and the command line do, in the user's state folder. False: nothing is kept.

    Attributes:
        in_flight: Number of requests in flight.

    Raises:
        ConfigurationError: `max_in_flight` is less than 1, or `remember` is no path.
    """

    max_in_flight: int = attrs.field(default=MAX_IN_FLIGHT, validator=at_least_one)
    remember: str | PurePath | Literal[False] | None = attrs.field(default=None, validator=_path, repr=False)
    _rate: RateController = attrs.field(factory=RateController, init=False, repr=False)
    _gate: Gate = attrs.field(factory=Gate, init=False, repr=False)
    _concurrency: ConcurrencyController = attrs.field(factory=ConcurrencyController, init=False, repr=False)
    in_flight: int = attrs.field(default=0, init=False, repr=False)
    _sent: int = attrs.field(default=0, init=False, repr=False)
    _rate_limited: int = attrs.field(default=0, init=False, repr=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        if self.in_flight >= self.allowed(now):
            return math.inf
        return self._gate.delay(now) if self._gate.shut else self._rate.delay(now)

    def sent(self, now: float, *, reserved: bool = False) -> Permit:
        """See `Pacer.sent`. With `reserved`, a reservation has timed the request, not the controller."""
        self.in_flight += 1
        self._sent += 1
        self._concurrency.sent(self.in_flight)
        probe = self._gate.shut
        if probe:
            self._rate.probed(late=now - self._gate.opens_at)
            self._gate.probe_sent()
        elif not reserved:
            self._rate.sent(now)
        return Permit(now, self.in_flight, self._gate.episode, probe)

    def done(self, now: float, permit: Permit, feedback: Feedback, *, judge: bool = True) -> None:
        """See `Pacer.done`. Without `judge`, the caller judges a 429 or the end of a probe, perhaps later."""
        self.in_flight -= 1
        if feedback.hints is not None:
            self._apply_hints(now, feedback.hints)
        if judge and (permit.probe or feedback.signal is _RATE_LIMITED):
            self.judge(now, permit, feedback)
        if feedback.signal is _RATE_LIMITED:
            self._rate_limited += 1
        elif feedback.signal is _ADMITTED:
            self._concurrency.admitted(now, level=permit.level, sent_at=permit.sent_at)
        elif feedback.signal is _FAILED:
            self._concurrency.failed(now)

    def snapshot(self, now: float) -> PacerSnapshot:
        """See `Pacer.snapshot`."""
        allowed = self.allowed(now)
        return PacerSnapshot(
            rate=self._rate.rate,
            in_flight=self.in_flight,
            allowed_in_flight=allowed,
            shut_for=max(0.0, self._gate.opens_at - now) if self._gate.shut else 0.0,
            sent=self._sent,
            rate_limited=self._rate_limited,
            why=self._why(allowed),
            learned_rate=self._rate.estimated_limit if self._rate.started else None,
            learned_in_flight=self._concurrency.limit,
            learned_window=self._rate.window,
        )

    def restore(self, learned: Mapping[str, object]) -> None:
        """See `Pacer.restore`. Missing or implausible values are learned again.

        The rate is a hint: the controller probes beyond it as beyond its own estimates, and leaves it after 429s.
        """
        rate = _plausible(learned.get("learned_rate"))
        if rate is not None:
            self._rate = _resumed(rate, _plausible(learned.get("learned_window")) or 0.0)
        self._concurrency = ConcurrencyController(limit=_plausible(learned.get("learned_in_flight")) or START_LIMIT)

    @property
    def controllers(self) -> tuple[RateController, Gate, ConcurrencyController]:
        """The controllers of the rate, of the pauses, and of the number in flight."""
        return self._rate, self._gate, self._concurrency

    def use(self, rate: RateController, gate: Gate, concurrency: ConcurrencyController | None = None) -> None:
        """Continue with other controllers. None keeps the number in flight's.

        Args:
            rate: Controller of the rate.
            gate: Gate that a 429 shuts.
            concurrency: Controller of the number in flight; None keeps the current one.
        """
        self._rate, self._gate, self._concurrency = rate, gate, concurrency or self._concurrency

    def allowed(self, now: float) -> int:
        """Return the number of requests that may be in flight now."""
        return max(1, int(min(self.max_in_flight, self._concurrency.allowed(now))))

    def judge(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Learn from an event that moves the gate: a 429, or the end of a probe.

        Args:
            now: Current time on the shared clock, in seconds.
            permit: Permit of the request.
            feedback: Outcome of the request.
        """
        if feedback.signal is _RATE_LIMITED:
            self._on_rate_limited(now, permit, feedback.retry_after)
        elif feedback.signal is _ADMITTED:
            self._on_admitted_probe(now, permit)
        else:
            self._gate.probe_lost(now)

    def _on_rate_limited(self, now: float, permit: Permit, retry_after: float | None) -> None:
        gate, rate = self._gate, self._rate
        if permit.episode == gate.episode:
            rate.withdraw()
        if permit.probe:
            _ = self._concurrency.rate_limited(now, level=permit.level)
            gate.probe_rate_limited(now, sent_at=permit.sent_at, forecast=rate.forecast(now), retry_after=retry_after)
        elif gate.shut:
            if retry_after is not None:
                gate.extend(now + retry_after)
        elif permit.episode == gate.episode or retry_after is not None:  # a late 429 counts only for its Retry-After
            timely = permit.episode == gate.episode
            explained = timely and self._concurrency.rate_limited(now, level=permit.level)
            if not explained or retry_after is not None:
                interval, took = 1.0 / rate.rate, now - permit.sent_at
                gate.close(now, interval=interval, took=took, forecast=rate.forecast(now), retry_after=retry_after)
                rate.shut(now)

    def _on_admitted_probe(self, now: float, permit: Permit) -> None:
        self._gate.probe_admitted(now, sent_at=permit.sent_at)
        if not self._gate.shut:
            self._rate.reopened(now, at=self._gate.reopened_at, proven=self._gate.proven)

    def _apply_hints(self, now: float, hints: RateLimitHints) -> None:
        """Spread the remaining requests, less those in flight, over the time until the reset."""
        left = max(hints.remaining - self.in_flight, 0) + 1
        self._rate.limit_to(left / hints.reset, until=now + hints.reset)

    def _why(self, allowed: int) -> str:
        if self.in_flight >= allowed:
            if allowed >= self.max_in_flight:
                return FULL
            return BY_429S if self._concurrency.cap < self._concurrency.limit else BY_LATENCY
        if self._gate.shut:
            return RATE_LIMITED
        return "learned rate" if self._rate.started else "cold start"


def _plausible(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and SLOWEST <= value <= FASTEST else None


def _resumed(rate: float, window: float) -> RateController:
    period = max(RESUMED_PERIOD, WINDOW_PERIOD * min(window, LONGEST_WINDOW))
    dip = max(RISE, min(COUNT_ERROR / (rate * period), DEEPEST_DIP))
    return RateController(estimated_limit=rate, started=True, rate=rate, window=window, period=period, dip=dip)
