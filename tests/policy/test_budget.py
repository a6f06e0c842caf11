"""The retry budget keeps repeats a bounded share of the traffic."""

from __future__ import annotations

from hypothesis import given, strategies as st

from callsavvy_async.policy.budget import RetryBudget


def test_the_first_credit() -> None:
    """Without any success there are capacity / cost repeats, and not one more."""
    budget = RetryBudget(capacity=50, cost=10)
    assert [budget.take() for _ in range(7)] == [True] * 5 + [False] * 2


def test_successes_pay_for_repeats() -> None:
    """After that, one repeat for `cost` successes."""
    budget = RetryBudget(capacity=10, cost=10)
    assert budget.take()
    for _ in range(9):
        budget.succeeded()
        assert not budget.take()
    budget.succeeded()
    assert budget.take()


@given(st.lists(st.booleans(), max_size=300))
def test_never_more_than_its_share(events: list[bool]) -> None:
    """Repeats are at most capacity/cost + successes/cost, and the tokens stay within [0, capacity]."""
    budget = RetryBudget(capacity=20, cost=10)
    repeats = successes = 0
    for success in events:
        if success:
            budget.succeeded()
            successes += 1
        else:
            repeats += budget.take()
        assert 0 <= budget.tokens <= budget.capacity
    assert repeats <= (budget.capacity + successes) / budget.cost
