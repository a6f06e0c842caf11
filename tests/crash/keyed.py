"""Send keyed messages from many processes that are killed with -9, over a faulty line, and compare with the ledger.

python -m tests.crash.keyed --keys 10000 --processes 16 --kills 200 --seed 1

Each process sends random keys of one PostgreSQL journal, also keys that others send at the same time or have sent, on
asyncio or on trio. Each key has a recipient of its own, so the simulator's ledger shows what a key was charged. In the end
each key must be accepted or unknown, charged at most once, and exactly once if it is accepted; all receipts of a key must
be the same; and a killed process must not have left more unknown than it had in flight.
"""

from __future__ import annotations

import argparse
import logging
import mmap
import os
import random
import signal
import sys
import time
import traceback
import zlib
from collections import Counter

import anyio
import attrs
import psycopg

from callsavvy_async import Callsavvy, OutcomeUnknownError, RequestError, Unlimited
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer

IN_FLIGHT = 8
LATENCY = 0.01
FAULTS = 0.005
"""Probability of each kind of fault."""
AGAIN = 0.2
"""Probability that a process sends a key whose outcome is known."""
LONGEST_PAUSE = 600.0
"""Seconds without any progress after which the run is given up."""


@attrs.define
class Shared:
    """What all processes see: the receipt of each key, as a checksum of its id, and what contradicts it."""

    keys: int
    receipts: mmap.mmap = attrs.field(init=False)
    counts: mmap.mmap = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.receipts = mmap.mmap(-1, 4 * self.keys)
        self.counts = mmap.mmap(-1, self.keys)

    def is_known(self, key: int) -> bool:
        return self.counts[key] != 0

    def known(self) -> int:
        return self.keys - self.counts[:].count(0)

    def note_unknown(self, key: int) -> None:
        self.counts[key] = self.counts[key] or 2

    def note(self, key: int, message_id: str) -> None:
        """Note a receipt; 3 if it is another one than before."""
        place, checksum = slice(4 * key, 4 * key + 4), zlib.crc32(message_id.encode()).to_bytes(4, "big")
        before = self.receipts[place]
        self.receipts[place] = checksum
        self.counts[key] = 3 if before not in {bytes(4), checksum} or self.counts[key] == 3 else 1


@attrs.define
class Summary:
    """What the run came to."""

    keys: int
    kills: int = 0
    seconds: float = 0.0
    accepted: int = 0
    unknown: int = 0
    died: int = 0
    most_died: int = 0
    """Most keys that one killed process left unknown."""
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    other_receipts: int = 0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted or self.other_receipts
        return not wrong and self.most_died <= IN_FLIGHT

    def __str__(self) -> str:
        return (
            f"{self.keys:,} keys, {self.kills} kills, {self.seconds:.0f} s\n"
            f"{self.accepted:,} accepted, {self.unknown:,} unknown, {self.died:,} of them by kills,"
            f" at most {self.most_died} by one, with {IN_FLIGHT} in flight\n"
            f"lost {self.lost}, charged twice {self.twice}, contradicted by the ledger {self.contradicted},"
            f" with two receipts {self.other_receipts}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # the faults are our own
    with PostgresServer() as server:
        summary = kill(server.new_database(), given.keys, given.processes, given.kills, given.seed)
    print(f"seed {given.seed}, {given.processes} processes")
    print(summary)
    sys.exit(not summary.good)


def kill(journal: str, keys: int, processes: int, kills: int, seed: int) -> Summary:
    """Send so many keys by so many processes, and kill one so many times."""
    draw, shared, began = random.Random(seed), Shared(keys), time.monotonic()
    with account(seed, LATENCY) as service:
        service.fail(FAULTS)
        children = [_start(journal, service.url, shared, draw.random()) for _ in range(processes)]
        try:
            done = 0
            for number in range(kills):
                _await_progress(shared, at_least=min(keys * (number + draw.random()) / (kills + 1), keys - 1))
                victim = draw.randrange(processes)
                os.kill(children[victim], signal.SIGKILL)
                _, status = os.waitpid(children[victim], 0)
                assert os.WIFSIGNALED(status), "a process ended before all keys were known"
                children[victim] = _start(journal, service.url, shared, draw.random())
                done += 1
            while children:
                _, status = os.waitpid(children[0], 0)
                assert os.WEXITSTATUS(status) == 0, "a process failed"
                children.pop(0)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
        summary = _judge(journal, service, shared)
    summary.kills, summary.seconds = done, time.monotonic() - began
    return summary


def _await_progress(shared: Shared, *, at_least: float) -> None:
    since, last = time.monotonic(), shared.known()
    while (known := shared.known()) < at_least:
        if known != last:
            since, last = time.monotonic(), known
        assert time.monotonic() - since < LONGEST_PAUSE, f"no progress at {known} keys"
        time.sleep(0.01)


def _start(journal: str, url: str, shared: Shared, seed: float) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        draw = random.Random(seed)
        anyio.run(_work, journal, url, shared, draw, backend=draw.choice(["asyncio", "trio"]))
        code = 0
    except BaseException:  # noqa: BLE001 - the exit code reports it
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


async def _work(journal: str, url: str, shared: Shared, draw: random.Random) -> None:
    """Send random keys until the outcome of each is known."""
    order = draw.sample(range(shared.keys), shared.keys)
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}
    pacing = Unlimited(max_in_flight=IN_FLIGHT)
    async with Callsavvy(**keys, base_url=url, timeout=10, pacing=pacing, journal=journal) as callsavvy:

        async def send(left: list[int]) -> None:
            while left:
                key = left.pop()
                if not shared.is_known(key) or draw.random() < AGAIN:
                    await _send(callsavvy, shared, key)

        async with anyio.create_task_group() as group:
            for _ in range(IN_FLIGHT):
                group.start_soon(send, order)


async def _send(callsavvy: Callsavvy, shared: Shared, key: int) -> None:
    """Send a key until its outcome is known, as a careful caller does."""
    while True:
        try:
            receipt = await callsavvy.messaging.send_sms(_number(key), f"Order {key} has shipped", key=f"order-{key}")
        except OutcomeUnknownError:
            shared.note_unknown(key)
            return
        except RequestError as error:
            if not error.safe_to_resend:
                raise
        else:
            shared.note(key, receipt.message_id or "")
            return


def _number(key: int) -> str:
    return f"+23480{key:08}"


def _judge(journal: str, service: Account, shared: Shared) -> Summary:
    charged = service.charged()
    with psycopg.connect(journal) as connection:
        rows = connection.execute("SELECT name, outcome, detail, session FROM keyed").fetchall()
    outcomes = {name: outcome for name, outcome, _, _ in rows}
    died = Counter(session for _, outcome, detail, session in rows if outcome == "unknown" and detail == PROCESS_DIED)
    summary = Summary(shared.keys, died=died.total(), most_died=max(died.values(), default=0))
    for key in range(shared.keys):
        outcome, charges = outcomes.get(f"order-{key}"), charged[_number(key)]
        summary.accepted += outcome == "accepted"
        summary.unknown += outcome == "unknown"
        summary.lost += outcome not in {"accepted", "unknown"}
        summary.twice += charges > 1
        summary.contradicted += outcome == "accepted" and charges != 1
        summary.other_receipts += shared.counts[key] == 3
    return summary


if __name__ == "__main__":
    main()
