"""The cost of a key: keyed sends beside sends without a key, and beside the INSERT that an application would write itself.

python -m benchmarks.keys                   # a minute; needs PostgreSQL
python -m benchmarks.keys --sends 2000

PostgreSQL is on the same machine and flushes each commit to the disk. The API is a small server in another process that
responds at once. 64 sends are in flight, each with a key of its own. *On top* is the time that a key adds to a send, the
seconds of the whole divided by the number of sends. An enqueued message is compared with an INSERT, both without their
COMMIT. The rounds of all contestants alternate, and the best one counts.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import attrs
import psycopg

from benchmarks.speed.servers import slow_server
from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.outbox import Outbox, migration
from testbed.servers.postgres import PostgresServer

IN_FLIGHT = 64
NUMBER, TEXT = "+2348012345678", "Your order has shipped"
PLAIN_TABLE = "CREATE TABLE plain (name TEXT PRIMARY KEY, body TEXT NOT NULL)"
PLAIN = "INSERT INTO plain (name, body) VALUES (%s, %s)"

_numbers = itertools.count()


@attrs.frozen
class Round:
    """The figures of one round."""

    seconds: float
    """Wall time of each send or commit on average."""
    cpu: float
    """Processor time of this process for each."""
    p50: float
    p99: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sends", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with (
        PostgresServer(settings=("fsync=on", "synchronous_commit=on")) as server,
        slow_server(0.0) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        database = server.new_database()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(PLAIN_TABLE)
            connection.execute(migration())
        contestants: dict[str, Callable[[], Round]] = {
            "send without a key": lambda: sends(url, given.sends, None),
            "send with a key, PostgreSQL": lambda: sends(url, given.sends, database),
            "send with a key, SQLite": lambda: sends(url, given.sends, f"sqlite:///{Path(folder) / 'keys.db'}"),
            "the same key again, PostgreSQL": lambda: sends(url, given.sends, database, key="one"),
            "plain INSERT, one connection, commit by commit": lambda: inserts(database, given.sends // 5),
            "INSERT into a transaction of 100": lambda: inserts(database, given.sends, each=100),
            "outbox.send_sms in a transaction of 100": lambda: inserts(database, given.sends, each=100, enqueue=True),
        }
        rounds: dict[str, list[Round]] = {name: [] for name in contestants}
        for _ in range(given.rounds):
            for name, run in contestants.items():
                rounds[name].append(run())
    best = {name: min(found, key=lambda one: one.seconds) for name, found in rounds.items()}
    unkeyed = best["send without a key"].seconds
    print("| | per second | ms each | on top, ms | CPU ms each | p50, ms | p99, ms |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, one in best.items():
        on_top = f"{(one.seconds - unkeyed) * 1e3:.3f}" if "key," in name else ""
        times = " | ".join((f"{one.cpu * 1e3:.3f}", f"{one.p50 * 1e3:.2f}", f"{one.p99 * 1e3:.2f}"))
        print(f"| {name} | {1 / one.seconds:,.0f} | {one.seconds * 1e3:.3f} | {on_top} | {times} |")


def sends(url: str, count: int, journal: str | None, *, key: str | None = None) -> Round:
    """Send SMS, 64 at a time."""
    keys = {"public_key": "TEST-public", "private_key": "TEST-private"}

    async def run() -> Round:
        pacing = Unlimited(max_in_flight=IN_FLIGHT)
        async with Callsavvy(**keys, base_url=f"{url}/v1", pacing=pacing, journal=journal) as callsavvy:

            async def one() -> None:
                if journal is None:
                    await callsavvy.messaging.send_sms(NUMBER, TEXT)
                else:
                    await callsavvy.messaging.send_sms(NUMBER, TEXT, key=key or f"order-{next(_numbers)}")

            await one()
            return await timed(one, count)

    return anyio.run(run)


async def timed(one: Callable[[], Awaitable[object]], count: int) -> Round:
    """Run it so often, in 64 tasks."""
    left, seconds = iter(range(count)), []

    async def work() -> None:
        for _ in left:
            began = time.perf_counter()
            await one()
            seconds.append(time.perf_counter() - began)

    began, busy = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as group:
        for _ in range(IN_FLIGHT):
            group.start_soon(work)
    return summed(time.perf_counter() - began, time.process_time() - busy, seconds)


def inserts(database: str, count: int, *, each: int = 1, enqueue: bool = False) -> Round:
    """Insert rows one after the other, so many in each transaction, or enqueue messages. COMMIT counts only for single rows."""
    seconds, busy, outbox = [], time.process_time(), Outbox()
    with psycopg.connect(database) as connection:
        for number in range(count):
            began = time.perf_counter()
            if enqueue:
                outbox.send_sms(connection, NUMBER, TEXT, key=f"order-{next(_numbers)}")
            else:
                connection.execute(PLAIN, (f"order-{next(_numbers)}", TEXT))
            if each == 1:
                connection.commit()
            seconds.append(time.perf_counter() - began)
            if number % each == each - 1:
                connection.commit()
        return summed(sum(seconds), time.process_time() - busy, seconds)


def summed(whole: float, cpu: float, seconds: list[float]) -> Round:
    cuts = statistics.quantiles(seconds, n=100)
    return Round(whole / len(seconds), cpu / len(seconds), cuts[49], cuts[98])


if __name__ == "__main__":
    main()
