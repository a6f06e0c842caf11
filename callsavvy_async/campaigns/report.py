"""What became of a campaign so far: sums over its journal, and one row per recipient read from it page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import attrs

from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.bulk.report import ChunkResult, ChunkState, Sums
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.bulk.stop_rules import counted
from callsavvy_async.campaigns.states import State


@attrs.define
class CampaignReport(Sums):
    """What became of a campaign over all its runs. The states of all recipients add up to those given.

    Beside those of a bulk send:

    Attributes:
        name: of the campaign.
        in_flight: recipients in requests that are on their way, or were when the journal was last written.
        not_sent: recipients in requests that were unknown, and are proved or declared not to have been sent.
        cancelled: recipients to whom nothing will be sent.
        running: whether a run began and did not end: it is under way, or its process died.
        simulated: whether it is a rehearsal with a simulator, in which nobody got anything.
        server: the API's base URL that it is sent to; blank before it is first run, and for a rehearsal.
        committed: units that were spent or may have been, for `max_cost`: the reported cost of each request or its estimate,
            whichever is more.
    """

    name: str = ""
    in_flight: int = 0
    not_sent: int = 0
    cancelled: int = 0
    running: bool = False
    simulated: bool = False
    server: str = ""
    committed: Decimal = Decimal(0)

    @property
    def accounted(self) -> int:
        """Recipients in any state."""
        return super().accounted + self.in_flight + self.not_sent + self.cancelled

    @property
    def complete(self) -> bool:
        """Whether every recipient who was not skipped is in an accepted call."""
        return super().complete and not (self.in_flight or self.not_sent or self.cancelled)

    @property
    def unsent(self) -> int:
        """Recipients who definitely got nothing, but were to."""
        return super().unsent + self.not_sent + self.cancelled

    def settle(self, result: ChunkResult) -> None:
        """Count a request's outcome; its recipients were pending until now."""
        self.pending -= len(result.recipients)
        super().settle(result)

    def add(self, state: State, recipients: int, requests: int, cost: Decimal | None, estimate: Decimal) -> None:
        """Count chunks as the journal has them."""
        if state is State.SPLIT:
            return
        field = State.PENDING if state is State.CLAIMED else state
        setattr(self, field, getattr(self, field) + recipients)
        if state in _CALLED:
            self.requests += requests
        if state in _TAKEN:
            self.requests_without_cost += requests if cost is None else 0
            self.cost += (cost or Decimal(0)) * requests
        if state in SPENT:
            self.committed += counted(estimate, cost) * requests

    def as_dict(self) -> Mapping[str, object]:
        """Return the sums as JSON-able values."""
        own = {name: getattr(self, name) for name in ("in_flight", "not_sent", "cancelled")}
        return {
            "name": self.name,
            **super().as_dict(),
            **own,
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
_CALLED = _TAKEN | {State.REJECTED, State.UNKNOWN}
SPENT = _TAKEN | {State.UNKNOWN, State.IN_FLIGHT}
"""What cost something, or may have."""
OF_THE_RUN = frozenset({"name", "rate_limited", "elapsed", "stopped"})
"""The fields that no sum of the journal tells."""


def chunk_rows(
    number: int, state: State, message_id: str | None, detail: str, recipients: Iterable[tuple[int, str]]
) -> Iterator[ReportRow]:
    """Yield the rows of one chunk."""
    for row, recipient in recipients:
        yield ReportRow(row, recipient, state.value, number, message_id, detail)


def skipped_row(row: int, reason: str, given: str, detail: str) -> ReportRow:
    """Return the row of a recipient who was left out."""
    return ReportRow(row, given, f"skipped: {SkipReason(reason).value}", None, None, detail)


STATE_OF: dict[ChunkState, State] = {state: State(state.value) for state in ChunkState}
"""What an outcome of a bulk send is in the journal."""
