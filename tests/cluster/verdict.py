"""What became of a campaign, compared with the ledger."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import attrs

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.epochs import PROCESS_DIED
from tests.crash.account import Account
from tests.crash.killer import CHARGED, NOT_CHARGED

from .place import CAMPAIGN, client


@attrs.define
class Verdict:
    """The sums. `people` and everything below are counts of recipients: a call has one."""

    host: str
    chunks: int
    happened: Counter[str]
    most_unknown: int
    raised: int
    where: str = ""
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    unsound: int = 0
    died: int = 0
    left: int = 0
    late: int = 0
    epochs: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted or self.unsound or self.raised or self.left
        return not wrong and self.died <= self.most_unknown

    def __str__(self) -> str:
        happened = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        outcomes = ", ".join(f"{count:,} {word}" for word, count in sorted(self.outcomes.items()))
        where = f"lines: {self.where}\n" if self.where else ""
        return where + "\n".join(
            [
                f"{self.host}: {self.chunks:,} chunks, {self.epochs} runs, {self.seconds:.0f} s",
                f"what happened: {happened}",
                f"outcomes: {outcomes}",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"unknown since their worker was killed: {self.died}, of {self.most_unknown} that these had in flight",
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
        verdict.epochs = len(await campaign.workers())
        verdict.died = sum(chunk.detail == PROCESS_DIED for chunk in await campaign.unknown())
        import psycopg
        with psycopg.connect(url) as c: print("DEBUG", c.execute("select epoch.worker, epoch.id, began, ended, status, count(*), array_agg(number) from chunk join epoch on epoch.id=chunk.epoch where detail like %s and state='unknown' group by epoch.worker, epoch.id, began, ended,status", (PROCESS_DIED,)).fetchall())
        verdict.unsound = len((await campaign.verify()).findings)
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.jsonl"
            await campaign.export(rows)
            lines = [json.loads(line) for line in rows.read_text().splitlines()]
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
