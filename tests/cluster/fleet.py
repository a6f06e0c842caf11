"""Four workers on one campaign in PostgreSQL, and everything that can happen to them; compared with the ledger.

python -m tests.cluster.fleet --chunks 30000 --outage 60 --seed 1

While they send, workers are killed with -9, stopped past their lease and continued, ended by SIGTERM, and joined by late
ones; the server is restarted, crashes, and is away for a while; connections are cut in the middle of transactions. Then
everybody must be in the report once, nobody may be charged twice, the report must say the same as the ledger, and of
unknown calls there may be no more than the killed workers had in flight.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import attrs
import psycopg

from callsavvy_async.campaigns import Campaign, CampaignReport, Journal, JournalUnavailableError
from callsavvy_async.campaigns.epochs import PROCESS_DIED
from tests.crash.account import Account, account
from tests.crash.killer import CHARGED, NOT_CHARGED
from tests.servers.postgres import PostgresServer

from .worker import IN_FLIGHT, Worker, client

WORKERS = 4
LATENCY = 0.02
SPEC = Campaign.sms("Hello", chunk_size=1)
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callsavvy-async'"


@attrs.define
class Summary:
    """What became of it."""

    chunks: int
    happened: Counter[str] = attrs.field(factory=Counter)
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    unsound: int = 0
    raised: int = 0
    died: int = 0
    unknown: int = 0
    left: int = 0
    late: int = 0
    epochs: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    seconds: float = 0.0

    @property
    def most_unknown(self) -> int:
        return self.happened["kill -9"] * IN_FLIGHT

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted or self.unsound or self.raised or self.left
        return not wrong and self.died <= self.most_unknown

    def __str__(self) -> str:
        happened = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        outcomes = ", ".join(f"{count:,} {word}" for word, count in sorted(self.outcomes.items()))
        return "\n".join(
            [
                f"{self.chunks:,} chunks, {WORKERS} workers at a time, {self.epochs} runs, {self.seconds:.0f} s",
                f"what happened: {happened}",
                f"outcomes: {outcomes}",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"unknown since their worker was killed: {self.died}, of {self.most_unknown} that could be",
                f"chunks that the workers left behind: {self.left}; runs that raised: {self.raised}",
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=30_000)
    parser.add_argument("--outage", type=float, default=60.0, help="seconds")
    parser.add_argument("--lease", type=float, default=5.0, help="seconds")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything happens")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # the faults are our own
    with PostgresServer() as server:
        summary = torment(server, given.chunks, given.outage, given.lease, given.rounds, given.seed)
    print(f"seed {given.seed}")
    print(summary)
    sys.exit(not summary.good)


def torment(
    server: PostgresServer, chunks: int, outage: float, lease: float, rounds: int, seed: int, faults: float = 0.005
) -> Summary:
    """Let workers send a campaign while everything happens to them, so many times over."""
    people = [f"+23480{n:08}" for n in range(chunks)]
    began = time.monotonic()
    with account(seed, LATENCY) as service, _fleet(server, service, lease, seed) as fleet:
        service.fail(faults)
        anyio.run(_load, fleet.url, people)
        for _ in range(WORKERS):
            fleet.join()
        events = _events(fleet, server, outage) * rounds
        for number, event in enumerate(events, start=1):
            if not fleet.wait_until(number / (len(events) + 1)):
                break  # they were faster
            event()
            fleet.reinforce()
        fleet.wait_for_all()
        service.fail(0)
        summary = Summary(chunks, fleet.happened, raised=fleet.raised)
        anyio.run(_judge, fleet.url, service, people, summary)
    summary.seconds = time.monotonic() - began
    return summary


def _events(fleet: Fleet, server: PostgresServer, outage: float) -> list[Callable[[], object]]:
    def restart() -> None:
        fleet.note("restart of the server")
        server.stop("fast")
        server.start()

    def crash() -> None:
        fleet.note("crash of the server")
        server.stop("immediate")
        server.start()

    def be_away() -> None:
        fleet.note(f"outage of {outage:.0f} s")
        server.stop("immediate")
        time.sleep(outage)
        server.start()

    return [
        fleet.cut,
        fleet.kill,
        fleet.sleep,
        fleet.cut,
        restart,
        fleet.terminate,
        fleet.kill,
        crash,
        fleet.cut,
        be_away,
    ]


@attrs.define(eq=False)
class Fleet:
    """The workers of a campaign."""

    url: str
    service: str
    lease: float
    draw: random.Random
    total: int = 0
    workers: list[Worker] = attrs.field(factory=list[Worker])
    asleep: list[tuple[float, Worker]] = attrs.field(factory=list[tuple[float, Worker]])
    happened: Counter[str] = attrs.field(factory=Counter)

    def note(self, what: str) -> None:
        self.happened[what] += 1

    def join(self) -> None:
        """Start another worker."""
        worker = Worker(self.url, self.service, self.lease, self.draw.choice(["asyncio", "trio"]))
        worker.start()
        self.workers.append(worker)

    def reinforce(self) -> None:
        """Let late ones join until there are enough again."""
        for _ in range(WORKERS - sum(worker.runs for worker in self.workers)):
            self.note("late worker")
            self.join()

    def kill(self) -> None:
        self.note("kill -9")
        self._awake().kill()

    def terminate(self) -> None:
        self.note("SIGTERM")
        self._awake().signal(signal.SIGTERM)

    def sleep(self) -> None:
        """Stop one past its lease; it is continued later."""
        self.note("sleep past the lease")
        worker = self._awake()
        worker.signal(signal.SIGSTOP)
        self.asleep.append((time.monotonic() + 2 * self.lease, worker))

    def cut(self) -> None:
        """Cut every connection, several times, in whatever transaction it is."""
        self.note("cut of all connections")
        for _ in range(5):
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(CUT)
            time.sleep(self.draw.uniform(0, 0.1))

    @property
    def raised(self) -> int:
        return sum(worker.exit_code not in {0, -signal.SIGKILL} for worker in self.workers)

    def wait_until(self, share: float) -> bool:
        """Wait until so much is settled; False when all workers are done."""
        while any(worker.runs for worker in self.workers):
            self._wake()
            report = status(self.url)
            if report is not None and report.pending + report.in_flight <= (1 - share) * report.given:
                return True
            time.sleep(0.1)
        return False

    def wait_for_all(self) -> None:
        while any(worker.runs for worker in self.workers):
            self._wake()
            time.sleep(0.05)

    def _awake(self) -> Worker:
        asleep = [worker for _, worker in self.asleep]
        return self.draw.choice([worker for worker in self.workers if worker.runs and worker not in asleep])

    def _wake(self) -> None:
        for until, worker in list(self.asleep):
            if time.monotonic() >= until:
                worker.signal(signal.SIGCONT)
                self.asleep.remove((until, worker))


@contextmanager
def _fleet(server: PostgresServer, service: Account, lease: float, seed: int) -> Iterator[Fleet]:
    fleet = Fleet(server.new_database(), service.url, lease, random.Random(seed))
    try:
        yield fleet
    finally:
        for worker in fleet.workers:
            worker.kill()


def status(url: str) -> CampaignReport | None:
    """Return the sums as an onlooker sees them; None while the database is away."""

    async def read() -> CampaignReport | None:
        try:
            async with Journal.open(url, read_only=True) as journal:
                return await (await journal.campaign("c")).status()
        except JournalUnavailableError:
            return None

    return anyio.run(read)


async def _load(url: str, people: list[str]) -> None:
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", SPEC)).load(people)


async def _judge(url: str, service: Account, people: list[str], summary: Summary) -> None:
    """Look at what the workers left, send that, and compare."""
    async with Journal.open(url, lease=0.01) as journal, client(service.url) as callsavvy:
        campaign = await journal.campaign("c")
        report = await campaign.status()
        summary.left = report.pending
        summary.late = report.not_sent
        while report.pending or report.not_sent:
            report = await campaign.resend_unknown(callsavvy, only_not_sent=True)
        summary.epochs = len(await campaign.workers())
        summary.died = sum(chunk.detail == PROCESS_DIED for chunk in await campaign.unknown())
        summary.unsound = len((await campaign.verify()).findings)
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.jsonl"
            await campaign.export(rows)
            lines = [json.loads(line) for line in rows.read_text().splitlines()]
    seen = Counter(line["recipient"] for line in lines)
    charged = service.charged()
    summary.outcomes.update(line["outcome"] for line in lines)
    summary.lost = sum(seen[number] != 1 for number in people) + (report.given != len(people))
    summary.twice = sum(charged[number] > 1 for number in people)
    summary.contradicted = sum(
        (line["outcome"] in CHARGED and charged[line["recipient"]] != 1)
        or (line["outcome"] in NOT_CHARGED and charged[line["recipient"]] != 0)
        for line in lines
    )


if __name__ == "__main__":
    main()
