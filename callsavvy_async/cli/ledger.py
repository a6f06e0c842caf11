"""Comparison of a report with the simulator's ledger: recipients that were charged against recipients reported as accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set as AbstractSet
from typing import TYPE_CHECKING, TypeAlias

import attrs

from callsavvy_async.bulk.report import ChunkState, Sums
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.cli.output import Result
from callsavvy_async.wording import quantity

if TYPE_CHECKING:
    from callsavvy_async.simulator import Ledger

Outcomes: TypeAlias = tuple[AbstractSet[str], AbstractSet[str]]
"""Accepted recipients, and recipients that may have been charged."""

_PERHAPS_CHARGED = {ChunkState.ACCEPTED.value, ChunkState.FAILED.value, ChunkState.UNKNOWN.value}


@attrs.frozen
class Comparison:
    """Charged recipients by the ledger, and accepted recipients by the report."""

    once: int
    more_than_once: int
    accepted: int
    agrees: bool

    def as_dict(self) -> Mapping[str, object]:
        """Return JSON-serializable values."""
        return {
            "charged_once": self.once,
            "charged_more_than_once": self.more_than_once,
            "agrees": self.agrees,
        }

    def __str__(self) -> str:
        verdict = "" if self.agrees else "; THEY DIFFER"
        return (
            f"ledger: {quantity(self.once, 'recipient')} charged once, {self.more_than_once:,} more than once;"
            f" report: {self.accepted:,} accepted{verdict}"
        )


def compare(rows: Iterable[ReportRow], ledger: Ledger, *, accepted: int, before: Outcomes | None = None) -> Comparison:
    """Compare the report and the ledger, number by number.

    They agree if each accepted recipient was charged exactly once, and all others that were charged may have been (failed
    or unknown).

    Args:
        rows: Rows of the report.
        ledger: Charges of the simulator in this process.
        accepted: Number of recipients accepted in this process, by the report's sums.
        before: Outcomes of earlier processes, whose ledgers are gone.
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
    """Return the accepted recipients, and all that may have been charged (including the accepted)."""
    accepted: set[str] = set()
    perhaps: set[str] = set()
    for row in rows:
        if row.outcome in _PERHAPS_CHARGED:
            perhaps.add(row.recipient)
        if row.outcome == ChunkState.ACCEPTED.value:
            accepted.add(row.recipient)
    return accepted, perhaps


def result_of_sums(report: Sums, comparison: Comparison | None = None) -> Result:
    """Return the sums of a send and the comparison with the ledger as a result."""
    ledger = {} if comparison is None else {"ledger": comparison.as_dict()}
    text = str(report) if comparison is None else f"{report}\n{comparison}"
    return Result({**data_of_sums(report), **ledger}, text)


def data_of_sums(report: Sums) -> Mapping[str, object]:
    """Return the sums with amounts as numbers. `Sums.as_dict` has texts, for programs that read them as decimals."""
    amounts = {name: getattr(report, name) for name in ("cost", "committed") if hasattr(report, name)}
    return {**report.as_dict(), **amounts}
