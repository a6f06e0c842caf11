"""The decision to repeat is a value: tested as a table, with the jitter's bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import Outcome, RateLimitError, ServerError
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.policy.retry import (
    LONGEST_WINDOW,
    MOST_PASSED_OVER,
    Decision,
    RetryPolicy,
    decide,
    may_retry,
)
from callsavvy_async.wire.endpoint import Effect

POLICY = RetryPolicy(max_retries=3, base=0.5, cap=30.0)


def failed(outcome: Outcome = Outcome.NOT_SENT, *, transient: bool = True, retry_after: float | None = None) -> Verdict:
    return Verdict(outcome, "why", ServerError, transient=transient, retry_after=retry_after)


def limited(retry_after: float | None = None) -> Verdict:
    return Verdict(Outcome.REJECTED, "429", RateLimitError, transient=True, retry_after=retry_after)


def ask(verdict: Verdict, effect: Effect = Effect.SPEND, **changes: object) -> Decision:
    settings: dict[str, object] = {
        "failures": 1,
        "seconds_left": math.inf,
        "policy": POLICY,
        "take_budget": lambda: True,
        "jitter": lambda: 0.5,
    }
    return decide(verdict, effect, **{**settings, **changes})


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("transient", [True, False])
@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNKNOWN])
def test_the_rule_that_is_never_bent(outcome: Outcome, transient: bool, effect: Effect) -> None:
    """A WRITE or SPEND is repeated only when it is proved that nothing was done; nothing final is repeated at all."""
    harmless = effect in {Effect.READ, Effect.IDEMPOTENT}
    expected = transient and (outcome is not Outcome.UNKNOWN or harmless)
    assert may_retry(failed(outcome, transient=transient), effect) is expected
    assert (ask(failed(outcome, transient=transient), effect).wait is not None) is expected


@given(failures=st.integers(1, 60), jitter=st.floats(0, 1, exclude_max=True))
def test_full_jitter(failures: int, jitter: float) -> None:
    """The wait before repeat n is uniform in [0, min(cap, base * 2**(n-1))]."""
    policy = RetryPolicy(max_retries=100)
    wait = ask(failed(), failures=failures, policy=policy, jitter=lambda: jitter).wait
    assert wait == min(policy.cap, policy.base * 2 ** (failures - 1)) * jitter
    assert wait is not None
    assert 0 <= wait <= policy.cap


@given(retry_after=st.floats(0, 86_400), jitter=st.floats(0, 1, exclude_max=True))
def test_retry_after_is_never_undercut(retry_after: float, jitter: float) -> None:
    """Whatever the jitter, the repeat does not come earlier than the API asked."""
    wait = ask(failed(Outcome.REJECTED, retry_after=retry_after), jitter=lambda: jitter).wait
    assert wait is not None
    assert wait >= retry_after


@pytest.mark.parametrize(("failures", "repeats"), [(1, True), (3, True), (4, False), (9, False)])
def test_retries_are_counted(failures: int, repeats: bool) -> None:
    """After max_retries repeats it is given up, and the reason says so."""
    decision = ask(failed(), failures=failures)
    assert (decision.wait is not None) is repeats
    assert decision.why == ("" if repeats else "gave up after 3 retries")


def test_no_retries_wanted() -> None:
    """With max_retries=0 the first failure is final, and nothing is said of retries."""
    assert ask(failed(), policy=RetryPolicy(max_retries=0)) == Decision(None, "")


def test_a_429_does_not_count() -> None:
    """A 429 is repeated however many failures there were, and costs no budget; its pause is the pacing's."""

    def never() -> bool:
        pytest.fail("a 429 must not take from the retry budget")

    assert ask(limited(), failures=99, take_budget=never) == Decision(0.0)
    assert ask(limited(retry_after=5), failures=99, take_budget=never) == Decision(0.0)


@pytest.mark.parametrize(
    ("verdict", "left", "wait"),
    [
        (failed(), 10.0, 0.25),
        (failed(), 0.25, None),
        (failed(), 0.0, None),
        (failed(), -1.0, None),
        (failed(Outcome.REJECTED, retry_after=5), 5.0, None),
        (failed(Outcome.REJECTED, retry_after=5), 5.1, 5.0),
        (limited(5), 4.0, None),
        (limited(5), 5.1, 0.0),
        (limited(), 0.0, None),
        (limited(), 0.1, 0.0),
    ],
)
def test_the_deadline(verdict: Verdict, left: float, wait: float | None) -> None:
    """A wait that would pass the total deadline is not begun, and both are named."""
    decision = ask(verdict, seconds_left=left)
    assert decision.wait == wait
    if wait is None:
        assert f"past the deadline in {max(left, 0):.3g} s" in decision.why.replace("pass the", "past the")


def test_the_budget() -> None:
    """With the retry budget spent nothing more is repeated, and it is said; what passes the deadline takes nothing."""
    taken: list[None] = []

    def take() -> bool:
        taken.append(None)
        return False

    assert ask(failed(), take_budget=take).wait is None
    assert "retry budget is spent" in ask(failed(), take_budget=take).why
    assert len(taken) == 2
    ask(failed(), take_budget=take, seconds_left=0.0)
    ask(failed(Outcome.UNKNOWN), take_budget=take)
    assert len(taken) == 2


def test_a_request_that_is_passed_over_again_and_again_is_given_up() -> None:
    """Others are admitted between its refusals: it is the request that is too heavy, and the error says so."""
    assert ask(limited(), passed_over=MOST_PASSED_OVER - 1).wait == 0.0
    given_up = ask(limited(), passed_over=MOST_PASSED_OVER)
    assert given_up.wait is None
    assert "fewer recipients" in given_up.why


def test_a_limit_that_admits_nobody_is_waited_for_an_hour() -> None:
    """No window that people choose is longer; what is refused for longer counts for more than the whole limit."""
    assert ask(limited(), rate_limited_for=3600.0).wait == 0.0
    given_up = ask(limited(), rate_limited_for=LONGEST_WINDOW + 1.0)
    assert given_up.wait is None
    assert "fewer recipients" in given_up.why
