"""Retry a request whose first attempt failed: tenacity runs the loop, `policy.retry` decides.

Tenacity costs more than a whole successful request. So the first attempt is made without it, and this module is imported
after the first failure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState

from callsavvy_async.errors import Outcome
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.policy.retry import Decision


async def retry(
    first: Verdict,
    attempt: Callable[[], Awaitable[Verdict]],
    decide: Callable[[Verdict], Decision],
    pause: Callable[[float], Awaitable[None]],
) -> tuple[Verdict, Decision]:
    """Retry as long as the policy allows it.

    Args:
        first: Verdict on the first attempt.
        attempt: Makes another attempt.
        decide: Decides on a retry after a verdict that is not ACCEPTED.
        pause: Waits the given seconds before the next attempt.

    Returns:
        The last verdict and the last decision.
    """
    made: Verdict | None = first  # counts as tenacity's first attempt
    decision = Decision(None)

    def worth_retrying(state: RetryCallState) -> bool:
        nonlocal decision
        if state.outcome is None or state.outcome.failed:
            return False
        verdict: Verdict = state.outcome.result()
        if verdict.outcome is Outcome.ACCEPTED:
            return False
        decision = decide(verdict)
        return decision.wait is not None

    async def next_attempt() -> Verdict:
        nonlocal made
        if made is not None:
            verdict, made = made, None
            return verdict
        return await attempt()

    retrying = AsyncRetrying(retry=worth_retrying, wait=lambda _: decision.wait or 0.0, sleep=pause)
    return await retrying(next_attempt), decision
