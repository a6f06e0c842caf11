"""Which unknown chunks were charged: decided only where every solution agrees."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

from hypothesis import given, strategies as st

from callsavvy_async.campaigns import subset_sum
from callsavvy_async.campaigns.spec import DISTINCT_SUMS
from callsavvy_async.campaigns.subset_sum import decide


@given(st.lists(st.integers(1, 12), max_size=8), st.integers(-2, 60))
def test_agrees_with_trying_everything(costs: list[int], missing: int) -> None:
    """The count of solutions and every verdict are those of trying all selections."""
    solutions = [
        taken
        for taken in product((False, True), repeat=len(costs))
        if sum(cost for cost, t in zip(costs, taken, strict=True) if t) == missing
    ]
    expected = {
        n: solutions[0][n] for n in range(len(costs)) if solutions and len({taken[n] for taken in solutions}) == 1
    }
    units = {number: Decimal(cost) for number, cost in enumerate(costs)}
    assert decide(units, Decimal(missing)) == (len(solutions), expected)


@given(st.sets(st.sampled_from(DISTINCT_SUMS)))
def test_distinct_sums_decide_everything(charged: set[int]) -> None:
    """Of chunks with distinct subset sums, whatever is missing tells all of them."""
    units = {size: Decimal(2 * size) for size in DISTINCT_SUMS}
    found = decide(units, Decimal(2 * sum(charged)))
    assert found == (1, {size: size in charged for size in DISTINCT_SUMS})


def test_too_many_sums_decide_nothing(monkeypatch) -> None:
    """Memory is bounded; past it, nothing is decided."""
    monkeypatch.setattr(subset_sum, "MOST_SUMS", 10)
    assert decide({n: Decimal(2**n) for n in range(8)}, Decimal(100)) == (0, {})
