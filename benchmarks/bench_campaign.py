"""Measure the cost of the journal: python benchmarks/bench_campaign.py --recipients 100000.

Three modes, which print one line for each figure. Linux only: it reads /proc/self/status.

- Default: durable transitions per second by concurrent coroutines. Then a campaign from a CSV file to its report against
  a simulator in another process: load rate, size of the journal, growth of resident memory, and the seconds of the run
  with the journal and without it (``callsavvy.bulk``).
- ``--load-only``: only the load, of numbers in random order, streamed.
- ``--paced 200/s``: CPU time and seconds of the client at a limit, with and without a journal in turn, against a server in
  another process that responds at once.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
from answers import answering

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.bulk.recipient_files import read_rows
from callsavvy_async.campaigns import Campaign, Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

TEXT = "We open again on Monday at nine."
TRANSITIONS = 5_000
COROUTINES = 64
KIB_PER_MIB = 1024
ROUNDS = 3
SCATTER = 7_919_777_777  # coprime to SPACE: a pseudo-random walk through all numbers
SPACE = 10**10


def main() -> None:
    """Measure and print one line for each figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--chunk-size", type=int, default=100)
    parser.add_argument("--skip-bulk", action="store_true", help="do not measure the run without a journal")
    parser.add_argument("--load-only", action="store_true")
    parser.add_argument("--paced", metavar="RATE", help="as 200/s")
    given = parser.parse_args()
    if given.load_only:
        asyncio.run(measure_load(given))
    elif given.paced:
        with answering() as url:
            asyncio.run(measure_paced(url, given))
    else:
        with simulating() as url:
            asyncio.run(measure(url, given))


@asynccontextmanager
async def campaign_in(
    path: Path, url: str, rate: str | None, chunk_size: int
) -> AsyncIterator[tuple[Campaign, Callsavvy]]:
    """Open a journal and a client."""
    async with Journal.open(f"sqlite:///{path}") as journal, client(url, rate) as callsavvy:
        yield await journal.campaign("c", SMS(TEXT), chunk_size=chunk_size), callsavvy


# ---------------------------------------------------------------------------------------------------- from CSV to CSV


async def measure(url: str, given: argparse.Namespace) -> None:
    """Measure a whole campaign."""
    with tempfile.TemporaryDirectory() as folder:
        await transitions(Path(folder))
        people = Path(folder) / "people.csv"
        with people.open("w") as file:
            file.write("phone,name\n")
            file.writelines(f"{number},Ada\n" for number in numbers(given.recipients))
        await warm_up(url, Path(folder))
        plain = 0.0 if given.skip_bulk else await run_plain(url, people, given)
        await run_campaign(url, people, Path(folder) / "journal.db", given, plain)


async def transitions(folder: Path) -> None:
    """Measure durable transitions per second, each awaited by a separate coroutine."""
    async with Journal.open(f"sqlite:///{folder}/transitions.db") as journal:
        campaign = await journal.campaign("c", SMS(TEXT), chunk_size=1)
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
    """Load all modules and fill all pools, so that the measured memory excludes them."""
    async with campaign_in(folder / "warm.db", url, None, 10) as (campaign, callsavvy):
        await campaign.load(numbers(1000, 10**8))
        await campaign.run(callsavvy)
        await campaign.export(folder / "warm.csv")


async def run_plain(url: str, people: Path, given: argparse.Namespace) -> float:
    """Send without a journal, and return the seconds."""
    async with client(url, None) as callsavvy:
        began, cpu = time.perf_counter(), time.process_time()
        report = await callsavvy.bulk.sms(read_rows(people), TEXT, chunk_size=given.chunk_size)
    seconds = time.perf_counter() - began
    assert report.accepted == given.recipients, report
    print(f"without a journal: {seconds:.1f} s, {time.process_time() - cpu:.1f} s CPU for {report.requests:,} requests")
    return seconds


async def run_campaign(url: str, people: Path, path: Path, given: argparse.Namespace, plain: float) -> None:
    """Load, send and export."""
    before = reset_peak()
    async with campaign_in(path, url, None, given.chunk_size) as (campaign, callsavvy):
        began = time.perf_counter()
        await campaign.load(read_rows(people))
        loaded, cpu = time.perf_counter(), time.process_time()
        report = await campaign.run(callsavvy)
        ran, cpu = time.perf_counter(), time.process_time() - cpu
        await campaign.export(path.with_suffix(".csv"))
        exported = time.perf_counter()
        size = size_of(path)
    assert report.accepted == given.recipients, report
    run = ran - loaded
    print(f"load: {given.recipients / (loaded - began):,.0f} recipients/s")
    print(f"run with the journal: {run:.1f} s, {cpu:.1f} s CPU, {report.requests / run:,.0f} requests/s")
    if plain:
        print(f"the journal's share of the run: {(run - plain) / run:.1%}")
    print(f"export: {exported - ran:.1f} s; whole: {exported - began:.1f} s")
    tell_size(size, given.recipients)
    print(f"memory: {memory('VmHWM') - before:.1f} MiB more than before, at most")


# ---------------------------------------------------------------------------------------------------------- the load


async def measure_load(given: argparse.Namespace) -> None:
    """Load numbers in random order, the worst case for a set on disk, and load them again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        async with Journal.open(f"sqlite:///{path}") as journal:
            warm = await journal.campaign("warm", SMS(TEXT))
            await warm.load(numbers(1000))
            before = reset_peak()
            campaign = await journal.campaign("c", SMS(TEXT), chunk_size=given.chunk_size)
            for what in ("load", "the same list again"):
                began, cpu = time.perf_counter(), time.process_time()
                report = await campaign.load(scattered(given.recipients))
                seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
                assert report.pending == given.recipients, report
                print(f"{what}: {given.recipients / seconds:,.0f} recipients/s, {seconds:.1f} s, {cpu:.1f} s CPU")
                print(f"memory: {memory('VmHWM') - before:.1f} MiB more than before, at most", flush=True)
                tell_size(size_of(path), given.recipients)


# --------------------------------------------------------------------------------------------------------- at a limit


@attrs.frozen
class Cost:
    """The cost of a run in this process."""

    seconds: float
    cpu: float


async def measure_paced(url: str, given: argparse.Namespace) -> None:
    """Send the same requests with and without a journal, in turn, and measure only the runs."""
    requests = given.recipients // given.chunk_size
    plain: list[Cost] = []
    journaled: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        await warm_up(url, Path(folder))
        for turn in range(ROUNDS):
            async with client(url, given.paced) as callsavvy:
                run = callsavvy.bulk.sms(numbers(given.recipients), TEXT, chunk_size=given.chunk_size)
                plain.append(await cost_of(run, given.recipients))
            async with campaign_in(Path(folder) / f"{turn}.db", url, given.paced, given.chunk_size) as (
                campaign,
                callsavvy,
            ):
                await campaign.load(numbers(given.recipients))
                journaled.append(await cost_of(campaign.run(callsavvy), given.recipients))
    for name, costs in (("without a journal", plain), ("with the journal", journaled)):
        best = min(costs, key=lambda cost: cost.cpu)
        print(
            f"{name}: {best.seconds:.2f} s, {best.cpu:.2f} s CPU, {1000 * best.cpu / requests:.2f} ms CPU per request"
        )
    more = min(cost.cpu for cost in journaled) - min(cost.cpu for cost in plain)
    seconds = min(cost.seconds for cost in journaled), min(cost.seconds for cost in plain)
    print(
        f"the journal: {seconds[0] / seconds[1] - 1:+.1%} seconds, {more / seconds[0]:.1%} of one core, for {requests:,} requests"
    )


async def cost_of(run, recipients: int) -> Cost:  # noqa: ANN001 - either kind of run
    """Await a run."""
    began, cpu = time.perf_counter(), time.process_time()
    report = await run
    cost = Cost(time.perf_counter() - began, time.process_time() - cpu)
    assert report.accepted == recipients, report
    return cost


# -------------------------------------------------------------------------------------------------------------- parts


@contextmanager
def simulating() -> Iterator[str]:
    """Serve a simulated account in a separate process while the block runs, and yield the URL."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=_simulate, args=(there,))
    server.start()
    try:
        yield here.recv()
    finally:
        here.send("stop")
        server.join()


def _simulate(pipe: Connection) -> None:
    with serve(Simulator(sms_balance=10**10, keep_requests=1)) as server:
        pipe.send(server.url)
        pipe.recv()


def client(url: str, rate: str | None) -> Callsavvy:
    """Make a client of the simulator."""
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, rate=rate)


def numbers(count: int, first: int = 0) -> Iterator[str]:
    """Yield distinct numbers."""
    return (f"+2348{number:09}" for number in range(first, first + count))


def scattered(count: int) -> Iterator[str]:
    """Yield distinct numbers, with a large distance between two consecutive ones."""
    return (f"+234{number * SCATTER % SPACE:010}" for number in range(count))


def size_of(path: Path) -> int:
    """Return the size of a journal in bytes, including its log."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def tell_size(size: int, recipients: int) -> None:
    """Print the size of a journal."""
    per_million = size * Decimal(10**6) / recipients
    print(f"journal: {size / 2**20:.1f} MiB, {per_million / 2**20:.1f} MiB per million recipients", flush=True)


def reset_peak() -> float:
    """Reset the peak of memory, and return the current memory in MiB."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return memory("VmRSS")


def memory(name: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(status[name].split()[0]) / KIB_PER_MIB


if __name__ == "__main__":
    main()
