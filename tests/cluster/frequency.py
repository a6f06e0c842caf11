"""Send overlapping campaigns with a frequency cap from many processes, kill some with -9, and compare with the ledger.

python -m tests.cluster.frequency --workers 16 --campaigns 4 --people 20000 --kills 20 --seed 1

A campaign without a cap is sent first to some of the people. Then the workers send campaigns with a cap, each to a random
selection in random order, from one PostgreSQL journal, on asyncio or on trio, over a faulty line. A violation is a person
who was charged twice, a person whom a report calls accepted or left out against the ledger, or a person who is lost.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from datetime import timedelta

import anyio
import attrs

from callsavvy_async import SMS, Callsavvy, Unlimited
from callsavvy_async.campaigns import Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer

LATENCY = 0.01
FAULTS = 0.01
"""Probability of each kind of fault."""
LEASE = 6.0
IN_FLIGHT = 4
WEEK = timedelta(days=7)
HELLO = SMS("Hello")
FIRST = "first"
_CHARGED = {"accepted", "failed"}
_LEFT_OUT = "skipped: recent"


@attrs.define
class Summary:
    """What the run came to."""

    workers: int
    people: int
    kills: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    twice: int = 0
    contradicted: int = 0
    lost: int = 0

    @property
    def good(self) -> bool:
        return not (self.twice or self.contradicted or self.lost) and self.outcomes[_LEFT_OUT] > 0

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"{self.workers} workers, {self.people:,} people, {self.kills} kills, {self.seconds:.0f} s\n"
            f"outcomes over all campaigns: {outcomes}\n"
            f"violations: {self.twice} charged twice, {self.contradicted} contradicted by the ledger, {self.lost} lost"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--campaigns", type=int, default=4)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # the faults are our own
    with PostgresServer() as server:
        summary = send(
            server.new_database(), given.workers, given.campaigns, given.people, kills=given.kills, seed=given.seed
        )
    print(f"seed {given.seed}, {given.campaigns} campaigns with a cap, and one without before them")
    print(summary)
    sys.exit(not summary.good)


def send(journal: str, workers: int, campaigns: int, people: int, *, kills: int, seed: int) -> Summary:
    """Send so many campaigns by so many workers, and kill one so many times."""
    draw, began = random.Random(seed), time.monotonic()
    everybody = [f"+23480{n:08}" for n in range(people)]
    lists = {f"capped-{n}": draw.sample(everybody, people * 2 // 3) for n in range(campaigns)}
    lists[FIRST] = draw.sample(everybody, people // 5)
    with account(seed, LATENCY) as service:
        service.fail(FAULTS)
        anyio.run(_prepare, journal, service.url, lists)
        names = [name for name in lists if name != FIRST]
        children = [_start(journal, service.url, names[n % campaigns], draw.random()) for n in range(workers)]
        killed = 0
        try:
            while killed < kills and _wait(children, draw.uniform(0.05, 0.4)):
                victim = draw.choice(children)
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
                children[children.index(victim)] = _start(journal, service.url, draw.choice(names), draw.random())
                killed += 1
            while children:
                _, status = os.waitpid(children[0], 0)
                assert os.WEXITSTATUS(status) == 0, "a worker failed"
                children.pop(0)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
        summary = Summary(workers, people, killed)
        anyio.run(_judge, journal, service, lists, summary)
    summary.seconds = time.monotonic() - began
    return summary


async def _prepare(journal: str, url: str, lists: dict[str, list[str]]) -> None:
    """Load all campaigns, and send the one without a cap."""
    async with Journal.open(journal, lease=LEASE) as opened, _client(url) as client:
        for name, people in lists.items():
            campaign = await opened.campaign(name, HELLO, chunk_size=20, not_within=None if name == FIRST else WEEK)
            await campaign.load(people)
        await (await opened.campaign(FIRST)).run(client)


def _wait(children: list[int], seconds: float) -> bool:
    """Wait, and return False once a worker has nothing left to send."""
    time.sleep(seconds)
    for child in children:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.WEXITSTATUS(status) == 0, "a worker failed"
            children.remove(child)
            return False
    return True


def _start(journal: str, url: str, name: str, seed: float) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        anyio.run(_work, journal, url, name, backend=random.Random(seed).choice(["asyncio", "trio"]))
        code = 0
    except BaseException:  # noqa: BLE001 - the exit code reports it
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


async def _work(journal: str, url: str, name: str) -> None:
    async with Journal.open(journal, lease=LEASE) as opened, _client(url) as client:
        await (await opened.campaign(name)).run(client, max_in_flight=IN_FLIGHT)


async def _judge(journal: str, service: Account, lists: dict[str, list[str]], summary: Summary) -> None:
    """Let each campaign end, and compare its report with the ledger."""
    accepted: Counter[str] = Counter()
    reached: set[str] = set()
    left_out: set[str] = set()
    async with Journal.open(journal, lease=LEASE) as opened, _client(service.url) as client:
        await anyio.sleep(LEASE)  # those who died are taken over
        for name, people in lists.items():
            campaign = await opened.campaign(name)
            await campaign.resend_unknown(client, only_not_sent=True)
            assert (await campaign.verify()).sound
            outcomes = {row.recipient: row.outcome for row in await campaign.rows(list)}
            summary.outcomes.update(outcomes.values())
            summary.lost += len(set(people) ^ set(outcomes))
            summary.lost += sum(outcome in {"pending", "claimed", "in_flight"} for outcome in outcomes.values())
            accepted.update(number for number, outcome in outcomes.items() if outcome in _CHARGED)
            reached |= {number for number, outcome in outcomes.items() if outcome in {"accepted", "unknown"}}
            left_out |= {number for number, outcome in outcomes.items() if outcome == _LEFT_OUT}
    charged = service.charged()
    summary.twice = sum(count > 1 for count in charged.values())
    summary.contradicted = sum(charged[number] != count for number, count in accepted.items())
    summary.contradicted += len(left_out - reached)


def _client(url: str) -> Callsavvy:
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}
    return Callsavvy(**keys, base_url=url, timeout=10, pacing=Unlimited())


if __name__ == "__main__":
    main()
