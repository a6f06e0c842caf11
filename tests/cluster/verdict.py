"""What became of a campaign, compared with the ledger."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import attrs

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from testbed.account import Account
from tests.crash.killer import CHARGED, NOT_CHARGED

from .place import CAMPAIGN, client, read

TAKEN_FOR_DEAD = """SELECT worker, count(*) FROM chunk JOIN run ON run.id = chunk.run
    WHERE state = 'unknown' AND detail = ? GROUP BY worker"""


@attrs.define(kw_only=True)
class Verdict:
    """The sums; a call has one recipient.

    Attributes:
        most_unknown: calls that killed workers had on the wire when they were killed.
        killed: process numbers.
        died: calls that are unknown since their worker was killed.
        unheard: calls of workers that were taken for dead and came back, whose own outcome was unknown, too.
        late: calls that were proved, by a worker taken for dead that came back, not to be sent.
    """

    host: str
    chunks: int
    happened: Counter[str]
    killed: set[str]
    most_unknown: int
    faults: float
    raised: int
    where: str = ""
    unheard: int = 0
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    unsound: int = 0
    died: int = 0
    left: int = 0
    late: int = 0
    runs: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted or self.unsound or self.raised or self.left
        return not wrong and self.died <= self.most_unknown and (self.faults > 0 or not self.unheard)

    def __str__(self) -> str:
        happened = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        outcomes = ", ".join(f"{count:,} {word}" for word, count in sorted(self.outcomes.items()))
        where = f"lines: {self.where}\n" if self.where else ""
        return where + "\n".join(
            [
                f"{self.host}: {self.chunks:,} chunks, {self.runs} runs, {self.seconds:.0f} s",
                f"what happened: {happened}",
                f"outcomes: {outcomes}",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"unknown since their worker was killed: {self.died}, of {self.most_unknown} that these had in flight",
                f"… since the answer never came to a worker that had been taken for dead and came back: {self.unheard}",
                f"chunks that the workers left behind: {self.left}; workers that raised: {self.raised}",
            ]
        )


async def judge(url: str, service: Account, people: list[str], verdict: Verdict) -> None:
    """Look at what the workers left, send that, and compare."""
    async with Journal.open(url, lease=0.01) as journal, client(service.url) as callsavvy:
        campaign = await journal.campaign(CAMPAIGN)
        report = await campaign.status()
        verdict.left = report.pending
        verdict.late = report.not_sent
        while report.pending or report.not_sent:
            report = await campaign.resend_unknown(callsavvy, only_not_sent=True)
        verdict.runs = len(await campaign.workers())
        verdict.unsound = len((await campaign.verify()).findings)
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.jsonl"
            await campaign.export(rows)
            lines = [json.loads(line) for line in rows.read_text().splitlines()]
    for worker, count in read(url, TAKEN_FOR_DEAD, PROCESS_DIED):
        if worker.rpartition(":")[2] in verdict.killed:
            verdict.died += count
        else:
            verdict.unheard += count
    seen = Counter(line["recipient"] for line in lines)
    charged = service.charged()
    verdict.outcomes.update(line["outcome"] for line in lines)
    verdict.lost = sum(seen[number] != 1 for number in people) + (report.given != len(people))
    verdict.twice = sum(charged[number] > 1 for number in people)
    verdict.contradicted = sum(
        (line["outcome"] in CHARGED and charged[line["recipient"]] != 1)
        or (line["outcome"] in NOT_CHARGED and charged[line["recipient"]] != 0)
        for line in lines
    )
