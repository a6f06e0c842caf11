"""Repeat a request whose first attempt failed: tenacity waits and counts, our own policy decides.

Tenacity costs more than a whole request that succeeds at once, so the first attempt is made plainly, and this module, with
tenacity, is imported when an attempt has failed for the first time.
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
    """Attempt again for as long as the policy says so.

    Args:
        first: the verdict of the attempt that was made already.
        attempt: makes another one.
        decide: says of a verdict that was not accepted when to try again, or why not.
        pause: waits so many seconds before the next attempt.

    Returns:
        The last verdict, and the last decision.
    """
    made: Verdict | None = first  # the plain attempt counts as the first
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
