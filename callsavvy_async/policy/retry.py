"""Whether and when a failed attempt is repeated: a decision is a value."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from callsavvy_async.errors import Outcome
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.wire.endpoint import Effect


@attrs.frozen
class RetryPolicy:
    """How often and how long. Full jitter: the wait before repeat n is uniform in [0, min(cap, base * 2**(n-1))]."""

    max_retries: int = 3
    """Repeats after a failure. A 429 does not count: it is bounded by the deadline, and paced for all requests at once."""
    base: float = 0.5
    """Seconds."""
    cap: float = 30.0
    """Seconds."""


MOST_PASSED_OVER = 12
"""Refusals of one request, each after others had been admitted, that show that it is not the moment that is wrong."""
LONGEST_WINDOW = 3900.0
"""Seconds: a limit that admits nobody for longer than an hour renews itself too seldom to be waited for."""


@attrs.frozen
class Decision:
    """Repeat after `wait` seconds, or give up (`wait` is None) because of `why`."""

    wait: float | None
    why: str = ""


_TOO_HEAVY = "the request may count for more than the limit allows at once: give it fewer recipients"


def may_retry(verdict: Verdict, effect: Effect) -> bool:
    """Whether repeating is both safe and of use: the rule that is never bent.

    What may charge or make something twice is repeated only when it is proved that nothing was done.
    """
    return verdict.transient and (verdict.outcome is not Outcome.UNKNOWN or effect.retryable)


def decide(
    verdict: Verdict,
    effect: Effect,
    *,
    failures: int,
    passed_over: int = 0,
    rate_limited_for: float = -math.inf,
    seconds_left: float,
    policy: RetryPolicy,
    take_budget: Callable[[], bool],
    jitter: Callable[[], float],
) -> Decision:
    """Decide on a repeat.

    Args:
        verdict: of the attempt that failed.
        effect: of the endpoint.
        failures: attempts that failed so far, this one included, 429s not counted.
        passed_over: refusals since which other requests were admitted.
        rate_limited_for: seconds since it was first refused and nobody was admitted.
        seconds_left: until the request's total deadline.
        policy: how often and how long.
        take_budget: takes one repeat from the retry budget, or says that there is none.
        jitter: uniform in [0, 1).
    """
    if not may_retry(verdict, effect):
        return Decision(None)
    if verdict.limited:
        if passed_over >= MOST_PASSED_OVER:
            return Decision(None, f"gave up: refused {passed_over} times while others were admitted; {_TOO_HEAVY}")
        if rate_limited_for > LONGEST_WINDOW:
            return Decision(None, f"gave up: nothing was admitted for {rate_limited_for:.0f} s; {_TOO_HEAVY}")
        # The pause is the pacing's, for every request of the client; here only the deadline has a say.
        return _within(seconds_left, verdict.retry_after or 0.0, waits_here=False)
    if failures > policy.max_retries:
        return Decision(None, f"gave up after {policy.max_retries} retries" if policy.max_retries else "")
    backoff = min(policy.cap, policy.base * 2.0 ** (failures - 1)) * jitter()
    decision = _within(seconds_left, max(backoff, verdict.retry_after or 0.0), waits_here=True)
    if decision.wait is not None and not take_budget():
        return Decision(None, "gave up: the retry budget is spent, too many requests are failing")
    return decision


def _within(seconds_left: float, wait: float, *, waits_here: bool) -> Decision:
    if wait >= seconds_left:
        return Decision(
            None, f"gave up: to wait {wait:.3g} s would pass the deadline in {max(seconds_left, 0.0):.3g} s"
        )
    return Decision(wait if waits_here else 0.0)
