"""Determines from the account's balance which unknown chunks were charged: an exact subset count.

Theory:

1. The units missing from the balance, less the known costs, are the sum of the costs of the charged unknown chunks.
2. Every selection of unknown chunks with that sum is a solution. A chunk is decided only if all solutions agree on it.
3. Chunks of equal cost are interchangeable, so they form a group. A solution takes c of the m chunks of a group; the
   group is decided if c is 0 in every solution, or m in every solution.
4. The reachable sums before and after a group yield its possible c, and the product of binomials counts the solutions
   (the subset sum problem, by dynamic programming).

Example: chunks of 84, 83 and 40 units are unknown and 124 units are missing. Only 84 + 40 fits, so all three are decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import comb
from typing import TypeAlias

import attrs

MOST_SUMS = 1_000_000
"""Largest number of sums in memory. Beyond it, every chunk stays undecided."""

_Groups: TypeAlias = Sequence[tuple[Decimal, int]]
"""Costs of a chunk, each with its number of chunks."""


@attrs.frozen
class Reconciliation:
    """The proof that the balance gives about the unknown chunks.

    Attributes:
        balance_before: SMS units before the first request of the campaign, or None.
        balance_now: SMS units now.
        known_cost: units that the API reported for the campaign's requests.
        missing: units that left the account in addition to the known costs.
        solutions: number of selections of unknown chunks that cost exactly `missing`.
        charged: chunks in every solution.
        not_charged: chunks in no solution.
        undecided: all other unknown chunks.
        acted: True if the journal was changed.
        why: reason why chunks are undecided, or the journal unchanged.
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
    """Count the selections of chunks whose costs add up to `missing`, and decide the chunks on which they agree.

    Args:
        costs: units of each unknown chunk, by chunk number.
        missing: units that the charged chunks cost together.

    Returns:
        The number of solutions; and, for each decided chunk, True if it was charged.
    """
    groups = sorted(Counter(costs.values()).items())
    before = _sums_before(groups, missing)
    solutions = before[-1][missing] if before else 0
    if not solutions:
        return 0, {}
    verdicts = _agreed(groups, before, missing)
    return solutions, {number: verdicts[cost] for number, cost in costs.items() if cost in verdicts}


def _sums_before(groups: _Groups, missing: Decimal) -> list[Counter[Decimal]]:
    """Count the selections for each sum, before each group and after the last; empty if there are too many sums."""
    before = [Counter({Decimal(0): 1})]
    for cost, count in groups:
        before.append(_with_group(before[-1], cost, count, missing))
        if sum(map(len, before)) > MOST_SUMS:
            return []
    return before


def _agreed(groups: _Groups, before: Sequence[Counter[Decimal]], missing: Decimal) -> dict[Decimal, bool]:
    """Return the costs of which all solutions take all chunks (True), or none (False)."""
    after = {missing}
    verdicts: dict[Decimal, bool] = {}
    for index in range(len(groups) - 1, -1, -1):
        cost, count = groups[index]
        taken = {c for c in range(count + 1) for rest in after if before[index][rest - c * cost]}
        if taken in ({0}, {count}):
            verdicts[cost] = taken == {count}
        after = {rest - c * cost for c in taken for rest in after}
    return verdicts


def _with_group(sums: Counter[Decimal], cost: Decimal, count: int, most: Decimal) -> Counter[Decimal]:
    """Extend every sum by 0 to `count` chunks of one cost."""
    grown: Counter[Decimal] = Counter()
    for total, ways in sums.items():
        for taken in range(count + 1):
            if total + taken * cost > most:
                break
            grown[total + taken * cost] += ways * comb(count, taken)
    return grown
