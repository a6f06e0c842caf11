"""The report of a campaign: sums over its journal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from callsavvy_async.bulk.report import ChunkResult, ChunkState, Sums
from callsavvy_async.bulk.stop_rules import counted
from callsavvy_async.campaigns.states import State


@attrs.define
class CampaignReport(Sums):
    """The state of a campaign over all its runs. The counts of all states add up to the recipients given.

    Adds to the attributes of a bulk send:

    Attributes:
        name: name of the campaign.
        in_flight: recipients in requests in flight at the journal's last write.
        not_sent: recipients in requests that were unknown, then proved or declared not sent.
        cancelled: recipients who will never be sent to.
        running: True if a run is active: it has not ended and its lease has not expired.
        simulated: True for a rehearsal with a simulator, which reaches no real recipient.
        server: base URL of the API; blank before the first run and for a rehearsal.
        paused: True while a command pauses the run of this report.
        committed: units spent or possibly spent, as `max_cost` counts them: the larger of cost and estimate of each request.
    """

    name: str = ""
    in_flight: int = 0
    not_sent: int = 0
    cancelled: int = 0
    running: bool = False
    simulated: bool = False
    server: str = ""
    paused: bool = False
    committed: Decimal = Decimal(0)

    @property
    def accounted(self) -> int:
        """Number of recipients in any state."""
        return super().accounted + self.in_flight + self.not_sent + self.cancelled

    @property
    def complete(self) -> bool:
        """True if every recipient who was not skipped is in an accepted request."""
        return super().complete and not (self.in_flight or self.not_sent or self.cancelled)

    @property
    def unsent(self) -> int:
        """Number of intended recipients who definitely received nothing."""
        return super().unsent + self.not_sent + self.cancelled

    def settle(self, result: ChunkResult) -> None:
        """Count the outcome of a request whose recipients were pending."""
        self.move_from_pending(len(result.recipients))
        super().settle(result)

    def add(self, state: State, recipients: int, requests: int, cost: Decimal | None, estimate: Decimal) -> None:
        """Count chunks that share a state, an estimate and a cost.

        Args:
            state: their state.
            recipients: number of their recipients.
            requests: number of chunks.
            cost: cost of each in units; None if not reported.
            estimate: estimate of each in units.
        """
        if state is State.SPLIT:
            return
        field = State.PENDING if state is State.CLAIMED else state
        setattr(self, field, getattr(self, field) + recipients)
        if state in _REQUESTED:
            self.count_requests(requests)
        if state in _TAKEN:
            self.charge(cost, requests)
        if state in SPENT:
            self.committed += counted(estimate, cost) * requests

    def as_dict(self) -> Mapping[str, object]:
        """Return the sums as JSON-able values."""
        return {
            "name": self.name,
            **super().as_dict(),
            **{name: getattr(self, name) for name in _OWN},
            "running": self.running,
            "simulated": self.simulated,
            "server": self.server,
            "committed": str(self.committed),
        }

    def __str__(self) -> str:
        lines = super().__str__().splitlines()
        more = [f"{getattr(self, name):,} {name.replace('_', ' ')}" for name in _OWN if getattr(self, name)]
        rehearsal = " (simulated)" if self.simulated else ""
        return "\n".join([f"campaign {self.name}{rehearsal}: {lines[0]}", *lines[1:], *(f"  {fact}" for fact in more)])


_OWN = ("in_flight", "not_sent", "cancelled")
_TAKEN = frozenset({State.ACCEPTED, State.FAILED})
_REQUESTED = _TAKEN | {State.REJECTED, State.UNKNOWN}
SPENT = _TAKEN | {State.UNKNOWN, State.IN_FLIGHT}
"""States of chunks that cost something, or may have."""
OF_THE_RUN = frozenset({"name", "rate_limited", "elapsed", "stopped", "paused"})
"""Fields that belong to the run and not to the journal."""


STATE_OF: dict[ChunkState, State] = {state: State(state.value) for state in ChunkState}
"""Journal state of each outcome of a bulk send."""
