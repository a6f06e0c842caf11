"""Commit and roll back transactions with messages, kill writers and workers with -9, and compare with the ledger.

python -m tests.crash.outbox --commits 10000 --seed 1
python -m tests.crash.outbox --commits 10000 --seed 1 --database sqlite

Each writer inserts an order and its message in one transaction, and commits, rolls back or is killed, also within COMMIT.
The orders are the truth: in the end the message of each order that is there must have been charged once, or be unknown, and no
other message may have been charged. Writers and workers are killed at random over a faulty line. PostgreSQL has several
workers, on asyncio and trio; a SQLite file has one.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import attrs
import psycopg

from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.campaigns import JournalError, JournalInUseError
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from callsavvy_async.outbox import Outbox, OutboxWorker, migration
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer

IN_FLIGHT = 16
LATENCY = 0.005
FAULTS = 0.003
"""Probability of each kind of fault."""
ROLLED_BACK = 0.2
"""Probability that a writer rolls back."""
ORDERS = "CREATE TABLE orders (number BIGINT PRIMARY KEY)"
LONGEST_PAUSE = 300.0


@attrs.frozen
class Place:
    """Where the orders and the outbox are, and the journal of the workers."""

    database: str
    """A URL of PostgreSQL, or a file."""
    journal: str
    outbox: str | None

    @property
    def is_file(self) -> bool:
        return self.outbox is not None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection | psycopg.Connection]:
        """Connect as the user does, with transactions that begin by themselves."""
        made = sqlite3.connect(self.database, timeout=60) if self.is_file else psycopg.connect(self.database)
        try:
            yield made
        finally:
            made.close()

    def read(self, statement: str) -> list[tuple]:
        with self.connection() as connection:
            return connection.execute(statement).fetchall()


@attrs.define
class Summary:
    """What the run came to."""

    commits: int = 0
    kills: int = 0
    seconds: float = 0.0
    sent: int = 0
    unknown: int = 0
    died: int = 0
    lost: int = 0
    twice: int = 0
    uncommitted: int = 0
    """Charged messages whose transaction did not commit."""
    left: int = 0
    """Rows left in the outbox that are not unknown."""

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.uncommitted or self.left)

    def __str__(self) -> str:
        return (
            f"{self.commits:,} commits, {self.kills} kills, {self.seconds:.0f} s\n"
            f"{self.sent:,} charged once, {self.unknown:,} reported unknown, {self.died:,} of them by kills\n"
            f"lost {self.lost}, charged twice {self.twice}, charged without commit {self.uncommitted},"
            f" left in the outbox {self.left}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, help="by default one for each 100 commits")
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--workers", type=int, default=3, help="PostgreSQL; a file has one")
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # the faults are our own
    kills = given.commits // 100 if given.kills is None else given.kills
    with _place(given.database) as place:
        workers = 1 if place.is_file else given.workers
        summary = torment(place, given.commits, kills, given.writers, workers, given.seed)
    print(f"{given.database}, seed {given.seed}, {given.writers} writers, {workers} workers")
    print(summary)
    sys.exit(not summary.good)


@contextmanager
def _place(kind: str) -> Iterator[Place]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "app.db"
            connection = sqlite3.connect(file)
            connection.executescript(f"PRAGMA journal_mode = WAL; {ORDERS}; {migration('sqlite')}")
            connection.close()
            yield Place(str(file), f"sqlite:///{Path(folder) / 'sends.db'}", f"sqlite:///{file}")
        return
    with PostgresServer() as server:
        url = server.new_database()
        with psycopg.connect(url) as connection:
            connection.execute(f"{ORDERS}; {migration('postgresql')}")
        yield Place(url, url, None)


def torment(place: Place, commits: int, kills: int, writers: int, workers: int, seed: int) -> Summary:
    """Run writers and workers, kill one so many times, then let a worker send the rest, and judge."""
    draw, began = random.Random(seed), time.monotonic()
    share = -(-commits // writers)
    with account(seed, LATENCY) as service:
        service.fail(FAULTS)

        def writer(number: int) -> Callable[[], None]:
            return lambda: _write(
                place, range(number * 10**7, (number + 1) * 10**7), share, random.Random(draw.random())
            )

        def worker(_: int) -> Callable[[], None]:
            backend = draw.choice(["asyncio", "trio"])
            return lambda: anyio.run(_work, place, service.url, True, backend=backend)

        starts = [*map(writer, range(writers)), *map(worker, range(workers))]
        children = {number: _fork(start) for number, start in enumerate(starts)}
        try:
            done = 0
            while any(number < writers for number in children):
                written = _await(place, min(commits * done // max(1, kills), commits - 1), children, writers)
                if done < kills and written < commits and children:
                    victim = draw.choice(list(children))
                    _kill(children.pop(victim))
                    make = writer if victim < writers else worker
                    children[victim] = _fork(make(victim))
                    done += 1
                else:
                    _reap(children, writers)
        finally:
            for child in children.values():
                with suppress(ProcessLookupError, ChildProcessError):
                    _kill(child)
        _fork_and_wait(lambda: anyio.run(_work, place, service.url, False))
        summary = _judge(place, service)
    summary.kills, summary.seconds = done, time.monotonic() - began
    return summary


def _await(place: Place, at_least: int, children: dict[int, int], writers: int) -> int:
    """Wait for so many orders, or for the end of a writer."""
    since, last = time.monotonic(), -1
    while True:
        (written,) = place.read("SELECT count(*) FROM orders")[0]
        if written >= at_least or _reap(children, writers):
            return written
        if written != last:
            since, last = time.monotonic(), written
        assert time.monotonic() - since < LONGEST_PAUSE, f"no progress at {written} orders"
        time.sleep(0.2)


def _reap(children: dict[int, int], writers: int) -> bool:
    """Forget the writers that are done. Return whether there were any."""
    ended = False
    for number, child in list(children.items()):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert number < writers, "a worker ended"
            assert os.WEXITSTATUS(status) == 0, "a writer failed"
            del children[number]
            ended = True
    if not ended:
        time.sleep(0.01)
    return ended


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _fork(run: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run()
        code = 0
    except BaseException:  # noqa: BLE001 - the exit code reports it
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _fork_and_wait(run: Callable[[], None]) -> None:
    _, status = os.waitpid(_fork(run), 0)
    assert os.WEXITSTATUS(status) == 0, "the last worker failed"


def _write(place: Place, numbers: range, share: int, draw: random.Random) -> None:
    """Make orders, each with its message, until the share of this writer is committed. A restarted one continues."""
    outbox = Outbox()
    (mine,) = place.read(f"SELECT count(*) FROM orders WHERE number >= {numbers[0]} AND number < {numbers[-1]}")[0]
    number = numbers[0] + draw.randrange(numbers[-1] - numbers[0] - 2 * share)
    mark = "?" if place.is_file else "%s"
    with place.connection() as connection:
        while mine < share:
            number += 1
            if connection.execute(f"SELECT number FROM orders WHERE number = {mark}", (number,)).fetchone():
                continue
            connection.execute(f"INSERT INTO orders (number) VALUES ({mark})", (number,))
            outbox.send_sms(connection, _recipient(number), f"Order {number}", key=f"order-{number}")
            if draw.random() < ROLLED_BACK:
                connection.rollback()
            else:
                connection.commit()
                mine += 1


async def _work(place: Place, url: str, forever: bool) -> None:
    """Send until killed, or until the outbox is empty."""
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}
    pacing = Unlimited(max_in_flight=IN_FLIGHT)
    while True:
        try:
            async with Callsavvy(**keys, base_url=url, timeout=10, pacing=pacing, journal=place.journal) as callsavvy:
                worker = OutboxWorker(callsavvy, place.outbox, forever=forever, poll=0.2, max_in_flight=IN_FLIGHT)
                await worker.work()
                return
        except JournalInUseError:  # the killed worker is not gone yet
            await anyio.sleep(0.05)
        except JournalError as error:
            raise RuntimeError(str(error)) from error


def _recipient(number: int) -> str:
    return f"+23480{number:08}"


def _judge(place: Place, service: Account) -> Summary:
    charged = service.charged()
    orders = [number for (number,) in place.read("SELECT number FROM orders")]
    if place.is_file:
        journal = sqlite3.connect(place.journal.removeprefix("sqlite:///"))
        rows = journal.execute("SELECT name, detail FROM keyed WHERE outcome = 'unknown'").fetchall()
        journal.close()
    else:
        rows = place.read("SELECT name, detail FROM keyed WHERE outcome = 'unknown'")
    unknown = dict(rows)
    (left,) = place.read("SELECT count(*) FROM callsavvy_outbox WHERE state <> 'unknown'")[0]
    summary = Summary(commits=len(orders), unknown=len(unknown), left=left)
    summary.died = sum(PROCESS_DIED in detail for detail in unknown.values())
    committed = {_recipient(number) for number in orders}
    for number in orders:
        charges = charged[_recipient(number)]
        summary.sent += charges == 1 and f"order-{number}" not in unknown
        summary.twice += charges > 1
        summary.lost += charges == 0 and f"order-{number}" not in unknown
    summary.uncommitted = sum(recipient not in committed for recipient in charged)
    return summary


if __name__ == "__main__":
    main()
