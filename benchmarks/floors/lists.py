"""CPU time of one row of a list, loaded into a campaign, beside csv.reader and the database's unique index alone.

For PostgreSQL the CPU time of the server counts for both.
"""

from __future__ import annotations

import asyncio
import csv
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from benchmarks.cluster import database_cpu
from benchmarks.floors.figures import Figures, median
from benchmarks.speed.answers import TEXT
from callsavvy_async import SMS
from callsavvy_async.bulk.recipient_files import read_rows
from callsavvy_async.campaigns import Journal
from testbed.servers.postgres import PostgresServer

ROWS = 50_000
ROUNDS = 3


def write_list(path: Path, rows: int = ROWS) -> None:
    """Write a list of different numbers in random order, each with a name."""
    numbers = random.Random(1).sample(range(7_000_000_000, 9_999_999_999), rows)
    with path.open("w", encoding="ascii") as file:
        file.write("phone,first_name\n")
        file.writelines(f"+234{number},Ada{row}\n" for row, number in enumerate(numbers))


def load(people: Path, journal: str, name: str = "c") -> None:
    """Load a list into a campaign."""

    async def work() -> None:
        async with Journal.open(journal) as opened:
            campaign = await opened.campaign(name, SMS(TEXT))
            await campaign.load(read_rows(people))

    asyncio.run(work())


def insert(people: Path, database: Path) -> None:
    """Insert the numbers of a list into a table with a unique key, in one transaction."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO numbers VALUES (?)", ((int(number),) for number in _numbers(people)))
    connection.commit()
    connection.close()


def sqlite() -> Figures:
    """Measure a journal in SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        people = place / "people.csv"
        write_list(people)
        rounds: list[Figures] = []
        for number in range(ROUNDS):
            ours = _cpu(lambda number=number: load(people, f"sqlite:///{place}/{number}.db"))
            rounds.append(Figures(ours, _cpu(lambda number=number: insert(people, place / f"{number}-floor.db"))))
    return median(rounds)


def postgres() -> Figures:
    """Measure a journal in PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        people, url = Path(folder) / "people.csv", server.new_database()
        write_list(people)
        load(people, url, "warm")
        rounds: list[Figures] = []
        for number in range(ROUNDS):
            ours = _cpu(lambda number=number: load(people, url, str(number)), server)
            rounds.append(Figures(ours, _cpu(lambda: copy(people, url), server)))
    return median(rounds)


def copy(people: Path, url: str) -> None:
    """Copy the numbers of a list into a table with a primary key, in one transaction."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS numbers")
        connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        with connection.cursor().copy("COPY numbers FROM STDIN") as copying:
            for number in _numbers(people):
                copying.write_row((int(number),))


def _numbers(people: Path) -> Iterator[str]:
    with people.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            yield row[0]


def _cpu(work: Callable[[], None], server: PostgresServer | None = None) -> float:
    """Return the microseconds of CPU time of one row."""

    def spent() -> float:
        return time.process_time() + (database_cpu(server) if server else 0.0)

    began = spent()
    work()
    if server:
        time.sleep(1.0)  # until the server's process of the closed connection has ended
    return (spent() - began) / ROWS * 1e6
