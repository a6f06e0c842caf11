"""What became of the jobs of a torment, compared with the ledger."""

from __future__ import annotations

from collections import Counter

import attrs

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from testbed.account import Account
from tests.cluster.place import read

from .hosts import recipient


@attrs.define(kw_only=True)
class JobVerdict:
    """What became of the jobs.

    Attributes:
        deliveries: number of times that a job was started.
        swept: jobs that were enqueued again after a while without progress, some since the queue had lost them.
        most_unknown: most requests in flight of processes that were killed, or that a crash of the broker may have ended.
        died: jobs that are unknown since their process ended.
    """

    host: str
    jobs: int
    happened: Counter[str] = attrs.field(factory=Counter)
    deliveries: int = 0
    swept: int = 0
    most_unknown: int = 0
    accepted: int = 0
    unknown: int = 0
    died: int = 0
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted
        return not wrong and self.died <= self.most_unknown and self.deliveries > self.jobs

    def __str__(self) -> str:
        happened = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        return "\n".join(
            [
                f"{self.host}: {self.jobs:,} jobs, {self.deliveries:,} deliveries, {self.seconds:.0f} s",
                f"what happened: {happened}",
                f"{self.accepted:,} accepted, {self.unknown:,} unknown",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"unknown since their process ended: {self.died}, of at most {self.most_unknown} in flight",
                f"enqueued again by the sweep: {self.swept}",
            ]
        )


async def judge(url: str, service: Account, verdict: JobVerdict) -> None:
    """Compare the journal with the ledger."""
    async with Journal.open(url) as journal:
        unknown = {one.key: one.detail for one in await journal.keys.unknown()}
    accepted = {name for (name,) in read(url, "SELECT name FROM keyed WHERE outcome = 'accepted'")}
    charged = service.charged()
    verdict.accepted, verdict.unknown = len(accepted), len(unknown)
    verdict.died = sum(detail == PROCESS_DIED for detail in unknown.values())
    for job in range(verdict.jobs):
        key, charges = f"order-{job}-shipped", charged[recipient(job)]
        verdict.lost += key not in accepted and key not in unknown
        verdict.twice += charges > 1
        verdict.contradicted += key in accepted and charges != 1
    verdict.contradicted += len(charged.keys() - {recipient(job) for job in range(verdict.jobs)})
