"""The budget that all runs of a campaign share.

Theory:

1. Baseline. Adding up the cost of every chunk is slow, so a run does it once, when it begins. The same statement reads
   the reservations of all runs: two statements would count a release between them as free budget.
2. Reservations. Each run counts in its own row the units that it reserves by claiming and releases. The sum over all runs
   less the sum at the baseline is the amount spent or reserved since.
3. Exclusion. A run with a limit locks the campaign's row while it claims, so two runs cannot claim the same budget.
4. Second check. A claim reserves the estimate, but the reported cost may be higher. So each chunk is checked again before
   it goes in flight. This check takes no lock: a cost reported a moment later belongs to a request in flight with it.

Example: the limit is 100, the baseline 60, and the runs reserved 25 since. A claim of 15 succeeds, a claim of 16 fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Self

import attrs

from callsavvy_async.bulk.stop_rules import counted
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.report import SPENT
from callsavvy_async.campaigns.states import State
from callsavvy_async.wording import quantity


class OutOfBudgetError(JournalError):
    """The next chunk would exceed the limit."""


@attrs.frozen
class CampaignBudget:
    """A limit, and the baseline at the beginning of the run."""

    limit: Decimal
    """Largest number of units that the campaign may spend."""
    committed: Decimal
    """Units spent, possibly spent or claimed by all runs at the baseline."""
    reserved: int
    """Reservations of all runs at the baseline, in millionths of a unit."""

    @classmethod
    def of(cls, cursor: Cursor, campaign: int, limit: Decimal) -> Self:
        """Return a budget whose baseline is now."""
        committed, reserved = Decimal(0), 0
        query = sql.spending({*SPENT, State.CLAIMED})
        for requests, estimate, cost, units in cursor.execute(query, (campaign, campaign)).fetchall():
            committed += counted(Decimal(estimate), None if cost is None else Decimal(cost)) * requests
            reserved += units
        return cls(limit, committed, reserved)

    def left_to_claim(self, cursor: Cursor, campaign: int) -> Decimal:
        """Return the units left, and block claims of other runs until the transaction ends."""
        cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
        return self.left(cursor, campaign)

    def left(self, cursor: Cursor, campaign: int) -> Decimal:
        """Return the units left now; negative if reported costs exceeded their estimates."""
        rows = cursor.execute("SELECT reserved FROM run WHERE campaign = ?", (campaign,)).fetchall()
        since = sum(units for (units,) in rows) - self.reserved  # in Python: a sum in SQLite may overflow
        return self.limit - self.committed - Decimal(since) / 1_000_000


def affordable(estimates: Sequence[Decimal], left: Decimal | None) -> tuple[int, Decimal]:
    """Return the number of leading chunks that fit into the budget, and their sum in units.

    Raises:
        OutOfBudgetError: the first chunk does not fit.
    """
    units = Decimal(0)
    for count, estimate in enumerate(estimates):
        if left is not None and units + estimate > left:
            if not count:
                raise OutOfBudgetError(f"the next request costs {quantity(estimate, 'unit')}; max_cost leaves {left}.")
            return count, units
        units += estimate
    return len(estimates), units
