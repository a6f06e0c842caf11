"""Which of the unknown chunks were charged, by the account's balance: an exact subset count.

Theory: what is missing from the balance beside the known costs is the sum of the costs of those unknown chunks that were
charged. Every selection of unknown chunks with that sum is a solution; a chunk is decided only when all solutions agree on
it. Chunks of equal cost cannot be told apart, so they are counted together: of a group of m, the solutions take c; the
group is decided when c is always 0 or always m. Reachable sums from the left and from the right of a group tell which c
are possible, and the product of binomials counts the solutions (the subset sum problem, by dynamic programming).
Where nothing is decided it says so. It never guesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from math import comb

import attrs

MOST_SUMS = 1_000_000
"""Sums that are kept in memory; past them nothing is decided."""


@attrs.frozen
class Reconciliation:
    """What the balance proves about the unknown chunks.

    Attributes:
        balance_before: SMS units before the first request of the campaign; None when it is not known.
        balance_now: SMS units now.
        known_cost: units that the API reported for the campaign's requests.
        missing: units that left the account beside the known costs.
        solutions: selections of unknown chunks that cost exactly what is missing.
        charged: chunks that are in every solution.
        not_charged: chunks that are in none.
        undecided: the others.
        acted: whether the journal was changed.
        why: why nothing was decided, or not acted upon.
    """

    balance_before: Decimal | None = None
    balance_now: Decimal | None = None
    known_cost: Decimal = Decimal(0)
    missing: Decimal | None = None
    solutions: int = 0
    charged: tuple[int, ...] = ()
    not_charged: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()
    acted: bool = False
    why: str = ""


def decide(costs: Mapping[int, Decimal], missing: Decimal) -> tuple[int, Mapping[int, bool]]:
    """Count the selections of chunks whose costs add up to what is missing, and decide where they all agree.

    Args:
        costs: of every unknown chunk, by its number.
        missing: what the charged ones cost together.

    Returns:
        The number of solutions, and whether a chunk was charged for each one that is decided.
    """
    groups = sorted(Counter(costs.values()).items())
    before = [Counter({Decimal(0): 1})]
    for cost, count in groups:
        before.append(_with_group(before[-1], cost, count, missing))
        if sum(map(len, before)) > MOST_SUMS:
            return 0, {}
    solutions = before[-1][missing]
    if not solutions:
        return 0, {}
    after = {missing}
    verdicts: dict[Decimal, bool] = {}
    for index in range(len(groups) - 1, -1, -1):
        cost, count = groups[index]
        taken = {c for c in range(count + 1) for rest in after if before[index][rest - c * cost]}
        if taken in ({0}, {count}):
            verdicts[cost] = taken == {count}
        after = {rest - c * cost for c in taken for rest in after}
    return solutions, {number: verdicts[cost] for number, cost in costs.items() if cost in verdicts}


def _with_group(sums: Counter[Decimal], cost: Decimal, count: int, most: Decimal) -> Counter[Decimal]:
    """Add 0 to `count` chunks of one cost to every sum so far."""
    grown: Counter[Decimal] = Counter()
    for total, ways in sums.items():
        for taken in range(count + 1):
            if total + taken * cost > most:
                break
            grown[total + taken * cost] += ways * comb(count, taken)
    return grown
