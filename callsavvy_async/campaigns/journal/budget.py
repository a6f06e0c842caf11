"""What all runs of a campaign together may spend.

Theory: the sums of the journal say what was spent or may have been, but adding them up reads every chunk: that is done
once, when a run begins. From then on each run counts in its own run_id what it reserves as it claims, and gives back; the
sum over the runs, less what it was at the beginning, is what came to it since. Both are read by one statement, which
sees them as of one moment: what others give back between two would be room that there never was. Who claims under a limit
holds the campaign's row meanwhile, so no two runs see the same room.

What is claimed is reserved by its estimate, and what is reported may be more: then what was claimed before has no room any
more. So each chunk is checked again as it goes in flight. That needs no lock: what others report a moment later is reported
while this chunk is on its way.
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


class OutOfBudgetError(JournalError):
    """The next chunk would pass the limit."""


@attrs.frozen
class CampaignBudget:
    """A limit, and where everybody stood when the run began."""

    limit: Decimal
    committed: Decimal
    """Units that were spent, may have been, or were claimed for, by all runs."""
    reserved: int
    """What all runs had reserved by then, in millionths of a unit."""

    @classmethod
    def of(cls, cursor: Cursor, campaign: int, limit: Decimal) -> Self:
        """Return a limit, beginning now."""
        committed, reserved = Decimal(0), 0
        states = (*sorted(SPENT), State.CLAIMED)
        for requests, estimate, cost, units in cursor.execute(sql.standing(states), (campaign, campaign)).fetchall():
            committed += counted(Decimal(estimate), None if cost is None else Decimal(cost)) * requests
            reserved += units
        return cls(limit, committed, reserved)

    def room(self, cursor: Cursor, campaign: int) -> Decimal:
        """Return how many units are left, and keep others from claiming any until the transaction ends."""
        cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
        return self.left(cursor, campaign)

    def left(self, cursor: Cursor, campaign: int) -> Decimal:
        """Return how many units are left at this moment; fewer than none when more was reported than was estimated."""
        rows = cursor.execute("SELECT reserved FROM run WHERE campaign = ?", (campaign,)).fetchall()
        since = sum(units for (units,) in rows) - self.reserved  # added here: a sum might pass what SQLite can hold
        return self.limit - self.committed - Decimal(since) / 1_000_000


def affordable(estimates: Sequence[Decimal], room: Decimal | None) -> tuple[int, Decimal]:
    """Return how many of some chunks fit, in their order, and what they come to.

    Raises:
        OutOfBudgetError: there are some, and none fits.
    """
    units = Decimal(0)
    for count, estimate in enumerate(estimates):
        if room is not None and units + estimate > room:
            if not count:
                raise OutOfBudgetError("max_cost would be passed.")
            return count, units
        units += estimate
    return len(estimates), units
