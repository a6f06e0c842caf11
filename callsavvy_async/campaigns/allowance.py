"""What all runs of a campaign together may spend.

Theory: the sums of the journal say what was spent or may have been, but adding them up reads every chunk: that is done
once, when a run begins. From then on each run counts in its own epoch what it reserves as it claims, and gives back; the
sum over the epochs, less what it was at the beginning, is what came to it since. Who claims under a limit holds the
campaign's row meanwhile, so no two runs see the same room. What is counted twice, because it moved while a run began,
ends a run too early, never too late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from callsavvy_async.campaigns import sql
from callsavvy_async.campaigns.database import Cursor
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.states import State


class OutOfBudgetError(JournalError):
    """The next chunk would pass the limit."""


@attrs.frozen
class Allowance:
    """A limit, and where everybody stood when the run began."""

    limit: Decimal
    committed: Decimal
    """Units that were spent, may have been, or were claimed for, by all runs."""
    reserved: Mapping[int, int]
    """What each run had reserved by then: millionths of a unit by its epoch."""

    def room(self, cursor: Cursor, campaign: int) -> Decimal:
        """Return how many units are left, and keep others from claiming any until the transaction ends."""
        cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
        now = reserved(cursor, campaign)
        since = sum(units - self.reserved.get(epoch, 0) for epoch, units in now.items())
        return self.limit - self.committed - Decimal(since) / 1_000_000


def reserved(cursor: Cursor, campaign: int) -> dict[int, int]:
    """Return what every run has reserved."""
    return dict(cursor.execute("SELECT id, reserved FROM epoch WHERE campaign = ?", (campaign,)).fetchall())


def claimed(cursor: Cursor, campaign: int) -> Decimal:
    """Return the estimates of what is claimed."""
    query = "SELECT estimate FROM chunk WHERE campaign = ? AND state = ?"
    rows = cursor.execute(query, (campaign, State.CLAIMED)).fetchall()
    return sum((Decimal(estimate) for (estimate,) in rows), Decimal(0))


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
