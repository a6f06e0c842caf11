"""The end of a bulk send to the simulator: what was reported against what the simulator itself charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from callsavvy_async.bulk.report import BulkReport, ChunkState
from callsavvy_async.simulator import Ledger

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


def compare(report: BulkReport, ledger: Ledger) -> Comparison:
    """Compare number by number: nobody is charged twice, all accepted are charged, and nobody else but unknown ones."""
    charged = ledger.charged
    outcomes: dict[str, set[str]] = {}
    for row in report.rows():
        if row.outcome in _PERHAPS_CHARGED:
            outcomes.setdefault(row.outcome, set()).add(row.recipient)
    accepted = outcomes.get(ChunkState.ACCEPTED.value, set[str]())
    perhaps = set[str]().union(*outcomes.values())
    times = Counter(charged.values())
    more_than_once = times.total() - times[1]
    return Comparison(
        once=times[1],
        more_than_once=more_than_once,
        accepted=report.accepted,
        agrees=not more_than_once and accepted <= charged.keys() <= perhaps,
    )
