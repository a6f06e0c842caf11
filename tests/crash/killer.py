"""Kill campaigns with -9 at random moments, resume them until they are done, and compare with the ledger.

python -m tests.crash.killer --kills 200 --seed 1

Every campaign is loaded, run, drained and reconciled by processes that are killed one after the other; the last one is
left alive. What a killed process knew is gone, except for the journal. Then everybody must be in the report once, nobody
may be charged twice, and the report must say the same as the ledger. Every fifth campaign has a send window, and wall
clocks that jump by hours while its processes run, every third a canary,
and in every second some people are suppressed after the load.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import attrs

from callsavvy_async import SMS, Callsavvy, Unlimited
from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.campaigns import CampaignOptions, CampaignReport, Journal, UnknownChunk, journal_source
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.account import Account, account

KILLS_PER_CAMPAIGN = 6
"""At most; a campaign that ended by itself is done."""
IN_FLIGHT = 8
LATENCY = 0.02
PHASES = ("load", "run", "drain", "reconcile")
LONGEST = {"load": 0.06, "run": 0.3, "drain": 0.03, "reconcile": 0.03}
"""Seconds into the phase."""
CHARGED = {"accepted", "failed"}
LEFT_OUT = "skipped: suppressed"
NOT_CHARGED = {"rejected", "pending", "not_sent", "cancelled", LEFT_OUT}


@attrs.frozen
class Trial:
    """One campaign."""

    number: int
    journal: Path
    backend: str
    faults: float

    @property
    def clocks_jump(self) -> bool:
        return self.number % 5 == 0

    @property
    def options(self) -> CampaignOptions:
        """Half of the campaigns can be told apart by the balance; some have a window, and some a canary."""
        if self.number % 3 == 0:
            return {"chunk_size": 5, "canary": 200, "after_canary": "continue", "max_failures": 1.0}
        if self.clocks_jump:
            return {"chunk_size": 5, "send_window": "06:00-22:00", "time_zone": "recipient"}
        return {"reconcilable": True} if self.number % 2 else {"chunk_size": 5}

    @property
    def people(self) -> list[str]:
        count = 12_000 if self.options.get("reconcilable") else 1_500
        return [f"+2348{self.number:03}{n:06}" for n in range(count)]  # after +2340 all of them would be invalid

    @property
    def suppressed(self) -> list[str]:
        """People of every second campaign who are suppressed after the load."""
        return self.people[::7] if self.number % 2 == 0 else []


@attrs.define
class Summary:
    """What all trials came to."""

    campaigns: int = 0
    faulty: int = 0
    jumping: int = 0
    kills: Counter[str] = attrs.field(factory=Counter)
    recipients: int = 0
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    too_many_unknown: int = 0
    most_unknown: int = 0
    unexplained: int = 0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted or self.too_many_unknown or self.unexplained
        return self.outcomes["accepted"] > 0 and not wrong

    def __str__(self) -> str:
        kills = ", ".join(f"{count} in {phase}" for phase, count in sorted(self.kills.items()))
        outcomes = ", ".join(f"{count:,} {word}" for word, count in sorted(self.outcomes.items()))
        return "\n".join(
            [
                f"{self.campaigns} campaigns ({self.faulty} with faults, {self.jumping} with jumping clocks)",
                f"{self.kills.total()} kills ({kills}), {self.recipients:,} recipients",
                f"outcomes: {outcomes}",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"calls left unknown by a kill: {self.most_unknown} at most, with {IN_FLIGHT} in flight",
                f"kills that left more: {self.too_many_unknown}; unknown calls without a reason: {self.unexplained}",
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # the faults are our own
    began = time.monotonic()
    summary = kill(given.kills, given.seed)
    print(f"seed {given.seed}, {time.monotonic() - began:.0f} s")
    print(summary)
    sys.exit(not summary.good)


def kill(kills: int, seed: int) -> Summary:
    """Kill so many processes."""
    draw = random.Random(seed)
    summary = Summary()
    with account(seed, LATENCY) as service, tempfile.TemporaryDirectory() as folder:
        number = 0
        while summary.kills.total() < kills:
            number += 1
            faults = 0.01 if number % 4 >= 2 else 0.0
            backend = draw.choice(["asyncio", "trio"])
            trial = Trial(number, Path(folder) / f"{number}.db", backend, faults)
            service.fail(faults)
            _kill_and_resume(trial, service, draw, summary, most=kills - summary.kills.total())
            _judge(trial, service, summary)
            trial.journal.unlink()
    return summary


def _kill_and_resume(trial: Trial, service: Account, draw: random.Random, summary: Summary, *, most: int) -> None:
    for _ in range(min(KILLS_PER_CAMPAIGN, most)):
        phase = draw.choice(PHASES)
        before = _unknown(trial)
        if not _killed_in(
            phase, draw.uniform(0, LONGEST[phase]), lambda told, p=phase: _work(trial, service.url, p, told)
        ):
            return
        summary.kills[phase] += 1
        after = _unknown(trial)
        died = [chunk for number, chunk in after.items() if number not in before and chunk.detail == PROCESS_DIED]
        summary.too_many_unknown += len(died) > IN_FLIGHT
        summary.most_unknown = max(summary.most_unknown, len(died))
        summary.unexplained += sum(not chunk.detail for chunk in after.values())


def _judge(trial: Trial, service: Account, summary: Summary) -> None:
    """Let the campaign end, and compare."""
    rows = trial.journal.with_suffix(".jsonl")
    with clocks_as(jumping=trial.clocks_jump):
        anyio.run(_finish, trial, service.url, rows, backend=trial.backend)
    report = _status(trial)
    outcomes: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for line in rows.read_text().splitlines():
        row = json.loads(line)
        outcomes[row["recipient"]] = row["outcome"]
        seen[row["recipient"]] += 1
    charged = service.charged()
    summary.campaigns += 1
    summary.faulty += trial.faults > 0
    summary.jumping += trial.clocks_jump
    summary.recipients += len(trial.people)
    summary.outcomes.update(outcomes.values())
    summary.lost += sum(seen[number] != 1 for number in trial.people) + (report.given != len(trial.people))
    summary.twice += sum(charged[number] > 1 for number in trial.people)
    summary.contradicted += sum(
        (outcome in CHARGED and charged[number] != 1) or (outcome in NOT_CHARGED and charged[number] != 0)
        for number, outcome in outcomes.items()
    )
    summary.contradicted += sum(outcomes[number] != LEFT_OUT for number in trial.suppressed)


def _status(trial: Trial) -> CampaignReport:
    async def read() -> CampaignReport:
        async with Journal.open(f"sqlite:///{trial.journal}") as journal:
            return await (await journal.campaign("c", SMS("Hello"), **trial.options)).status()

    return anyio.run(read)


def _unknown(trial: Trial) -> dict[int, UnknownChunk]:
    async def read() -> dict[int, UnknownChunk]:
        async with Journal.open(f"sqlite:///{trial.journal}") as journal:
            unknown = await (await journal.campaign("c", SMS("Hello"), **trial.options)).unknown()
            return {chunk.number: chunk for chunk in unknown}

    return anyio.run(read)


async def _finish(trial: Trial, url: str, rows: Path) -> None:
    async with Journal.open(f"sqlite:///{trial.journal}") as journal, _client(url) as client:
        campaign = await journal.campaign("c", SMS("Hello"), **trial.options)
        report = await campaign.load(trial.people)
        assert not report.skipped[SkipReason.INVALID], report
        await journal.suppress(*trial.suppressed)
        while report.pending:
            report = await campaign.run(client)
        await campaign.reconcile(client, exclusive=True)
        verified = await campaign.verify()
        assert verified.sound, verified
        await campaign.export(rows)


def _work(trial: Trial, url: str, phase: str, told: Callable[[], None]) -> None:
    """Do what a campaign's process does, and tell when the phase begins in which it is to die."""
    entered = False
    if trial.clocks_jump:
        let_clocks_jump()

    def enter(name: str) -> None:
        nonlocal entered
        if name == phase and not entered:
            entered = True
            told()

    async def work() -> None:
        async with Journal.open(f"sqlite:///{trial.journal}") as journal, _client(url) as client:
            campaign = await journal.campaign("c", SMS("Hello"), **trial.options)
            enter("load")
            await campaign.load(trial.people)
            await journal.suppress(*trial.suppressed)
            enter("run")
            calls = 0

            def drain(_: CampaignReport) -> None:
                nonlocal calls
                calls += 1
                if phase == "drain" and calls == IN_FLIGHT:
                    run.stop()
                    enter("drain")

            run = campaign.run(client, max_in_flight=IN_FLIGHT, on_progress=drain)
            await run
            enter("drain")  # there was nothing left to drain
            enter("reconcile")
            await campaign.reconcile(client, exclusive=True)

    anyio.run(work, backend=trial.backend)


@contextmanager
def clocks_as(*, jumping: bool) -> Iterator[None]:
    """Let the wall clock jump while the block runs, or not."""
    kept = time.time, journal_source.wall_clock, journal_source.LONGEST_SLEEP
    if jumping:
        let_clocks_jump()
    try:
        yield
    finally:
        time.time, journal_source.wall_clock, journal_source.LONGEST_SLEEP = kept


def let_clocks_jump() -> None:
    """Let the wall clock of this process jump, by up to a day in either direction, four times a second."""
    true_time, jumps = time.time, random.Random()

    def jumping() -> float:
        now = true_time()
        jumps.seed(now * 4 // 1)
        return now + jumps.uniform(-86_400, 86_400)

    time.time = jumping
    journal_source.wall_clock = lambda: datetime.fromtimestamp(jumping(), UTC)
    journal_source.LONGEST_SLEEP = 0.02


def _client(url: str) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, timeout=5, pacing=Unlimited())


def _killed_in(phase: str, seconds: float, work: Callable[[Callable[[], None]], None]) -> bool:
    """Fork, wait until the child is in the phase, and kill it some time later; False when it had ended by then."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            work(lambda: os.write(writing, b"."))
            code = 0
        except BaseException:  # noqa: BLE001 - told, and its exit code too
            os.write(2, traceback.format_exc().encode())  # at once: it may be killed any moment
        finally:
            os._exit(code)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], 60)
    assert ready, f"the child never came to {phase}"
    os.close(reading)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0, f"the child failed in {phase}"
        return False
    return True


if __name__ == "__main__":
    main()
