"""What the journal costs: python benchmarks/bench_campaign.py --recipients 100000 --rate 200/s.

Durable transitions per second by coroutines that write at once; then a campaign from a CSV file to its report against a
simulator in another process: load rate, size of the journal, growth of resident memory, and the seconds of the run beside
those of the same run without a journal (`callsavvy.bulk`). Linux only: it reads /proc/self/status.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

from callsavvy_async import Callsavvy
from callsavvy_async.bulk.files import read_rows
from callsavvy_async.campaigns import Campaign, Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

TEXT = "We open again on Monday at nine."
TRANSITIONS = 5_000
COROUTINES = 64
KIB_PER_MIB = 1024


def main() -> None:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--chunk-size", type=int, default=100)
    parser.add_argument("--rate", default=None, help="as 200/s; unlimited unless given")
    parser.add_argument("--skip-bulk", action="store_true", help="do not measure the run without a journal")
    given = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=run_server, args=(there,))
    server.start()
    try:
        asyncio.run(measure(here.recv(), given))
    finally:
        here.send("stop")
        server.join()


def run_server(pipe: Connection) -> None:
    """Serve until told to stop."""
    with serve(Simulator(sms_balance=10**10, keep_requests=1)) as server:
        pipe.send(server.url)
        pipe.recv()


async def measure(url: str, given: argparse.Namespace) -> None:
    """Take every figure."""
    with tempfile.TemporaryDirectory() as folder:
        await transitions(Path(folder))
        people = Path(folder) / "people.csv"
        people.write_text("phone,name\n" + "".join(f"{number},Ada\n" for number in numbers(given.recipients)))
        await warm_up(url, Path(folder))
        plain = 0.0 if given.skip_bulk else await run_plain(url, people, given)
        await run_campaign(url, people, Path(folder) / "journal.db", given, plain)


async def transitions(folder: Path) -> None:
    """Count durable moves per second, each awaited by its own coroutine."""
    async with Journal.open(f"sqlite:///{folder}/transitions.db") as journal:
        campaign = await journal.campaign("c", Campaign.sms(TEXT, chunk_size=1))
        await campaign.load(numbers(TRANSITIONS))
        writer, todo = journal._writer, iter(range(1, TRANSITIONS + 1))  # noqa: SLF001 - beneath the public interface
        update = "UPDATE chunk SET state = 'in_flight' WHERE campaign = 1 AND number = ? AND state = 'pending'"

        async def move() -> None:
            for number in todo:
                await writer.run(lambda cursor, number=number: cursor.execute(update, (number,)))

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(COROUTINES):
                group.create_task(move())
        print(f"durable transitions: {TRANSITIONS / (time.perf_counter() - began):,.0f}/s by {COROUTINES} coroutines")


async def warm_up(url: str, folder: Path) -> None:
    """Load every module and fill every pool, so that they are not counted as memory of the recipients."""
    async with campaign_in(folder / "warm.db", url, None, 10) as (campaign, callsavvy):
        await campaign.load(numbers(1000, 10**8))
        await campaign.run(callsavvy)
        await campaign.export(folder / "warm.csv")


async def run_plain(url: str, people: Path, given: argparse.Namespace) -> float:
    """Send without a journal, and return the seconds."""
    async with client(url, given.rate) as callsavvy:
        began, cpu = time.perf_counter(), time.process_time()
        report = await callsavvy.bulk.sms(read_rows(people), TEXT, chunk_size=given.chunk_size)
    seconds = time.perf_counter() - began
    assert report.accepted == given.recipients, report
    print(f"without a journal: {seconds:.1f} s, {time.process_time() - cpu:.1f} s CPU for {report.calls:,} calls")
    return seconds


async def run_campaign(url: str, people: Path, path: Path, given: argparse.Namespace, plain: float) -> None:
    """Load, send and export."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # noqa: ASYNC240 - the peak of memory counts from here
    async with campaign_in(path, url, given.rate, given.chunk_size) as (campaign, callsavvy):
        began = time.perf_counter()
        await campaign.load(read_rows(people))
        loaded, cpu = time.perf_counter(), time.process_time()
        report = await campaign.run(callsavvy)
        ran, cpu = time.perf_counter(), time.process_time() - cpu
        await campaign.export(path.with_suffix(".csv"))
        exported = time.perf_counter()
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    assert report.accepted == given.recipients, report
    million = Decimal(10**6) / given.recipients
    run = ran - loaded
    print(f"load: {given.recipients / (loaded - began):,.0f} recipients/s")
    print(f"run with the journal: {run:.1f} s, {cpu:.1f} s CPU, {report.calls / run:,.0f} calls/s")
    if plain:
        print(f"the journal's share of the run: {(run - plain) / run:.1%}")
    print(f"export: {exported - ran:.1f} s; whole: {exported - began:.1f} s")
    print(f"journal: {size / 2**20:.1f} MiB, {size * million / 2**20:.1f} MiB per million recipients")
    print(f"memory: {memory('VmHWM') - before:.1f} MiB more than before, at most")


@asynccontextmanager
async def campaign_in(
    path: Path, url: str, rate: str | None, chunk_size: int
) -> AsyncIterator[tuple[Campaign, Callsavvy]]:
    """Open a journal and a client."""
    async with Journal.open(f"sqlite:///{path}") as journal, client(url, rate) as callsavvy:
        yield await journal.campaign("c", Campaign.sms(TEXT, chunk_size=chunk_size)), callsavvy


def client(url: str, rate: str | None) -> Callsavvy:
    """Make a client of the simulator."""
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, rate=rate)


def numbers(count: int, first: int = 0) -> Iterator[str]:
    """Yield numbers, none of them twice."""
    return (f"+2348{number:09}" for number in range(first, first + count))


def memory(name: str) -> float:
    """Read a figure of this process from the system, in MiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(status[name].split()[0]) / KIB_PER_MIB


if __name__ == "__main__":
    main()
