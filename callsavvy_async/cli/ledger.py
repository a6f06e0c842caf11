"""The end of a bulk send to the simulator: what was reported against what the simulator itself charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set as AbstractSet
from typing import TypeAlias

import attrs

from callsavvy_async.bulk.report import ChunkState, Sums
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.cli.output import as_json
from callsavvy_async.simulator import Ledger

Outcomes: TypeAlias = tuple[AbstractSet[str], AbstractSet[str]]
"""Who was accepted, and who may have been charged."""

_PERHAPS_CHARGED = {ChunkState.ACCEPTED.value, ChunkState.FAILED.value, ChunkState.UNKNOWN.value}


@attrs.frozen
class Comparison:
    """How often the ledger says that recipients were charged, and how many the report says were accepted."""

    once: int
    more_than_once: int
    accepted: int
    agrees: bool

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return {
            "charged_once": self.once,
            "charged_more_than_once": self.more_than_once,
            "agrees": self.agrees,
        }

    def __str__(self) -> str:
        verdict = "" if self.agrees else "; THEY DIFFER"
        return (
            f"ledger: {self.once:,} recipients charged once, {self.more_than_once:,} twice;"
            f" report: {self.accepted:,} accepted{verdict}"
        )


def compare(rows: Iterable[ReportRow], ledger: Ledger, *, accepted: int, before: Outcomes | None = None) -> Comparison:
    """Compare number by number: nobody is charged twice, all accepted are charged, and nobody else but unknown ones.

    Args:
        rows: of the report.
        ledger: what the simulator charged, in this process.
        accepted: recipients who were accepted in this process, by the report's sums.
        before: who had been sent to by an earlier process, whose ledger is gone.
    """
    now = outcomes_of(rows)
    was_accepted, was_perhaps = before or (frozenset(), frozenset())
    now_accepted, perhaps = now[0] - was_accepted, now[1] - was_perhaps
    charged = ledger.charged
    times = Counter(charged.values())
    more_than_once = times.total() - times[1]
    agrees = not more_than_once and now_accepted <= charged.keys() <= perhaps and len(now_accepted) == accepted
    return Comparison(once=times[1], more_than_once=more_than_once, accepted=accepted, agrees=agrees)


def outcomes_of(rows: Iterable[ReportRow]) -> Outcomes:
    """Return who was accepted, and who may have been charged, those included."""
    accepted: set[str] = set()
    perhaps: set[str] = set()
    for row in rows:
        if row.outcome in _PERHAPS_CHARGED:
            perhaps.add(row.recipient)
        if row.outcome == ChunkState.ACCEPTED.value:
            accepted.add(row.recipient)
    return accepted, perhaps


def lines_of_sums(report: Sums, comparison: Comparison | None = None, *, json: bool) -> str:
    """Write the sums of a send, and what the ledger says of them."""
    if json:
        ledger = {} if comparison is None else {"ledger": comparison.as_dict()}
        return as_json({**report.as_dict(), **ledger})
    return str(report) if comparison is None else f"{report}\n{comparison}"
