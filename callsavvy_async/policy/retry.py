"""Decide whether and when to retry a failed attempt."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from callsavvy_async.errors import Outcome
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.wire.endpoint import Effect
from callsavvy_async.wording import quantity


@attrs.frozen
class RetryPolicy:
    """Limits of retries. Full jitter: the wait before retry n is uniform in [0, min(cap, base * 2**(n-1))]."""

    max_retries: int = 3
    """Maximum number of retries after failures. 429s do not count: the deadline and the rate limiter bound them."""
    base: float = 0.5
    """Maximum seconds before the first retry."""
    cap: float = 30.0
    """Maximum seconds before any retry."""


MOST_PASSED_OVER = 12
"""Number of 429s for one request, each after other requests were admitted, that show that waiting does not help."""
LONGEST_WINDOW = 3900.0
"""Maximum seconds to wait while the API admits no request at all: a little more than an hour."""


@attrs.frozen
class Decision:
    """Retry after `wait` seconds, or give up (`wait` is None) because of `why`."""

    wait: float | None
    why: str = ""


_TOO_HEAVY = "the request may count for more than the limit allows at once: give it fewer recipients"


def may_retry(verdict: Verdict, effect: Effect) -> bool:
    """Return True if a retry is safe and useful.

    A request that charges or creates something is retried only after a proof that nothing was done.
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
    """Decide whether to retry a failed attempt.

    Args:
        verdict: Verdict on the attempt.
        effect: Effect of the endpoint.
        failures: Number of failed attempts so far, including this one and excluding 429s.
        passed_over: Number of 429s for this request after which other requests were admitted.
        rate_limited_for: Seconds since the first 429 for this request, if the API has admitted no request since.
        seconds_left: Seconds until the request's total deadline.
        policy: Limits of retries.
        take_budget: Takes one retry from the retry budget; returns False if the budget is spent.
        jitter: Returns a uniform random number in [0, 1).
    """
    if not may_retry(verdict, effect):
        return Decision(None)
    if verdict.limited:
        why = _too_heavy(passed_over, rate_limited_for)
        # The rate limiter pauses all requests of the client, so only the deadline matters here.
        return Decision(None, why) if why else _within(seconds_left, verdict.retry_after or 0.0, waits_here=False)
    if failures > policy.max_retries:
        return Decision(
            None, f"gave up after {quantity(policy.max_retries, 'retry', 'retries')}" if policy.max_retries else ""
        )
    backoff = min(policy.cap, policy.base * 2.0 ** (failures - 1)) * jitter()
    decision = _within(seconds_left, max(backoff, verdict.retry_after or 0.0), waits_here=True)
    if decision.wait is not None and not take_budget():
        return Decision(None, "gave up: the retry budget is spent, too many requests are failing")
    return decision


def _too_heavy(passed_over: int, rate_limited_for: float) -> str:
    """Return why the API will never admit a request that it keeps rejecting with 429; empty while it may."""
    if passed_over >= MOST_PASSED_OVER:
        return f"gave up: rate-limited {passed_over} times while others were admitted; {_TOO_HEAVY}"
    if rate_limited_for > LONGEST_WINDOW:
        return f"gave up: the API admitted no request for {rate_limited_for:.0f} s; {_TOO_HEAVY}"
    return ""


def _within(seconds_left: float, wait: float, *, waits_here: bool) -> Decision:
    if wait >= seconds_left:
        left = max(seconds_left, 0.0)
        return Decision(None, f"gave up: a wait of {wait:.3g} s would pass the deadline in {left:.3g} s")
    return Decision(wait if waits_here else 0.0)
