"""Measure the cost of claims at the beginning, in the middle and at the end of a large campaign in PostgreSQL, and of its load.

python -m benchmarks.claims                          # 10,000,000 recipients, three times: a quarter of an hour
python -m benchmarks.claims --recipients 1000000     # a minute or two

Recipients are loaded as users load them. At each point, a real run with 8 requests in flight sends a few hundred requests
to a server in another process that responds at once, and times its claims. Between the points, SQL moves the chunks in
blocks from pending to claimed, in flight and accepted, with a commit for each step. This leaves as many dead rows and
index entries as a run does. The database is that of the tests, which does not flush to the disk.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import attrs
import psycopg

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.bulk.report import ChunkResult
from callsavvy_async.campaigns import Journal, postgres
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.servers.postgres import PostgresServer

from .answers import answering
from .cluster import database_cpu

TEXT = "We open again on Monday at nine."
REQUESTS = 480
"""Requests at each point. Fewer in a campaign that is too small for them."""
IN_FLIGHT = 8
BLOCK = 160
ENDING = 1.0
"""Seconds until the server's process of a closed connection ends and its CPU time is known."""
SCATTER, SPACE = 7_919_777_777, 10**10  # coprime: a pseudo-random walk through all numbers
LONGEST_WAIT = 180
"""Maximum seconds to wait for autovacuum, which runs once a minute."""
PASSES = (("pending", "claimed"), ("claimed", "in_flight"), ("in_flight", "accepted"))
PASS = """UPDATE chunk SET state = %(to)s, run = 1, cost = %(cost)s, message_id = %(cost)s || number
    WHERE campaign = 1 AND number BETWEEN %(first)s AND %(last)s AND coalesce(state, '') = %(state)s"""
SIZES = """SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class
    WHERE relname = ANY (%s) AND relkind = 'r'"""


@attrs.define
class RequestContext:
    """Times the claims of this process, in milliseconds."""

    claims: list[float] = attrs.field(factory=list[float])

    def install(self) -> None:
        watch, plain = self, postgres._Cursor  # noqa: SLF001 - beneath the public interface

        class Timed(plain):
            def execute(self, statement: str, values: Sequence[object] = (), /) -> Any:
                began = time.perf_counter()
                done = super().execute(statement, values)
                if statement.startswith("WITH picked") and "LIMIT" in statement:
                    watch.claims.append((time.perf_counter() - began) * 1e3)
                return done

        postgres._Cursor = Timed  # noqa: SLF001 - the same


@attrs.define
class Lab:
    """A database, a campaign in it, and a server that responds to requests."""

    server: PostgresServer
    url: str
    answers: str
    chunks: int
    watch: RequestContext
    condition: str
    connection: psycopg.Connection

    def show(self, done: int, statistics_of: str) -> None:
        """Send some of the pending chunks, and print a row."""
        self.watch.claims.clear()
        database, own = database_cpu(self.server), time.process_time()
        requests = anyio.run(self._run)
        time.sleep(ENDING)
        own, database = time.process_time() - own, database_cpu(self.server) - database
        first, *others = self.watch.claims
        table, indexes = self._sizes("chunk")
        print(
            f"| {self.condition} | {statistics_of} | {done} % | {first:.1f} | {statistics.median(others):.2f} "
            f"| {statistics.quantiles(others, n=100)[98]:.2f} | {own * 1e3 / requests:.2f} | {database * 1e3 / requests:.2f} "
            f"| {table:.0f} + {indexes:.0f} |",
            flush=True,
        )

    async def _run(self) -> int:
        requests = 0

        def count(_: ChunkResult) -> None:
            nonlocal requests
            requests += 1
            if requests == min(REQUESTS, self.chunks // 125):
                run.stop()

        async with (
            Journal.open(self.url) as journal,
            Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=self.answers, rate="100000/s") as client,
        ):
            run = (await journal.campaign("c")).run(client, max_in_flight=IN_FLIGHT, on_result=count)
            await run
        return requests

    def advance(self, percent: int) -> None:
        """Move the pending chunks up to a point through all states, as a run does."""
        query = "SELECT min(number) FROM chunk WHERE campaign = 1 AND state = 'pending'"
        (first,) = self.connection.execute(query).fetchone() or (1,)
        for block in range(first, self.chunks * percent // 100 + 1, BLOCK):
            for state, to in PASSES:
                cost = "100" if to == "accepted" else None
                last = min(block + BLOCK - 1, self.chunks * percent // 100)
                values = {"to": to, "cost": cost, "state": state, "first": block, "last": last}
                self.connection.execute(PASS, values)

    def analyse(self) -> None:
        self.connection.execute("ANALYZE chunk")

    def wait_for_autovacuum(self) -> None:
        """Wait until autovacuum has vacuumed and analysed the table."""
        query = """SELECT last_autovacuum > %(began)s AND last_autoanalyze > %(began)s FROM pg_stat_user_tables
            WHERE relname = 'chunk'"""
        (began,) = self.connection.execute("SELECT now()").fetchone() or (None,)
        for _ in range(LONGEST_WAIT):
            if self.connection.execute(query, {"began": began}).fetchone() == (True,):
                return
            time.sleep(1)
        print(f"(autovacuum did not come within {LONGEST_WAIT} s)")

    def load(self) -> None:
        """Load recipients in random order, and print the cost."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        database, own, began = database_cpu(self.server), time.process_time(), time.perf_counter()
        recipients = anyio.run(self._load)
        seconds = time.perf_counter() - began
        time.sleep(ENDING)
        own, database = time.process_time() - own, database_cpu(self.server) - database
        tables, indexes = self._sizes("chunk", "payload", "skipped")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
        print(
            f"\nload: {recipients / seconds:,.0f} recipients/s, {seconds:.0f} s, {own:.0f} s CPU and {database:.0f} s of the"
            f" database; {self.chunks:,} chunks, tables {tables:.1f} MiB + indexes {indexes:.1f} MiB, in bytes a recipient"
            f" {(tables + indexes) * 2**20 / recipients:.1f}; peak of memory {grown:.1f} MiB higher",
            flush=True,
        )

    async def _load(self) -> int:
        async with Journal.open(self.url) as journal:
            campaign = await journal.campaign("c", SMS(TEXT))
            report = await campaign.load(numbers(self.chunks * 100))
        return report.pending

    def _sizes(self, *tables: str) -> tuple[float, float]:
        sizes = self.connection.execute(SIZES, (list(tables),)).fetchone()
        assert sizes is not None
        return float(sizes[0]) / 2**20, float(sizes[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipients", type=int, default=10_000_000)
    chunks = parser.parse_args().recipients // 100
    watch = RequestContext()
    watch.install()
    with PostgresServer() as server, answering() as answers:
        for condition, autovacuum in (("off", False), ("off, a snapshot held", False), ("on", True)):
            url = server.new_database()
            with psycopg.connect(url, autocommit=True) as connection, psycopg.connect(url) as other:
                connection.execute(f"ALTER SYSTEM SET autovacuum = {'on' if autovacuum else 'off'}")
                connection.execute("SELECT pg_reload_conf()")
                lab = Lab(server, url, answers, chunks, watch, condition, connection)
                lab.load()
                print(
                    "\n| autovacuum | statistics of | done | first claim, ms | p50 | p99 | CPU ms a chunk, worker",
                    end="",
                )
                print(" | … database | table + indexes, MiB |")
                print("| --- | --- " + "| ---: " * 7 + "|", flush=True)
                if autovacuum:
                    with_autovacuum(lab)
                else:
                    without(lab, other if "held" in condition else None)


def without(lab: Lab, backup: psycopg.Connection | None) -> None:
    """Measure a campaign without autovacuum: before the statistics of its load are collected, and after."""
    lab.show(0, "nothing")
    lab.analyse()
    if backup is not None:
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM chunk")
    for done in (0, 50, 98):
        lab.advance(done)
        lab.show(done, "the load")
    lab.analyse()
    lab.show(98, "98 %")


def with_autovacuum(lab: Lab) -> None:
    """Measure a campaign at each point, before and after an autovacuum."""
    lab.show(0, "nothing")
    for done in (50, 98):
        lab.advance(done)
        lab.show(done, "whatever was last")
        lab.wait_for_autovacuum()
        lab.show(done, f"{done} %")


def numbers(count: int) -> Iterator[str]:
    return (f"+234{number * SCATTER % SPACE:010}" for number in range(count))


if __name__ == "__main__":
    main()
