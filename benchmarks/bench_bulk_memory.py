"""Memory and time of a bulk SMS, by the number of recipients: python benchmarks/bench_bulk_memory.py 50000 200000.

For every number, a new client process sends to a simulator in another new process over loopback sockets. A generator
yields the recipients. Growth is the client's peak resident memory minus its memory after a small warm-up send, and so the
cost of the recipients. Linux only: it reads /proc/self/status.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from callsavvy_async import Callsavvy, Credentials, Unlimited
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

TEXT = "We open again on Monday at nine."
WARM_UP = 1_000
KIB_PER_MIB = 1024


class Options(NamedTuple):
    """Settings of the bulk send."""

    chunk_size: int
    max_in_flight: int


class Measured(NamedTuple):
    """One run."""

    recipients: int
    requests: int
    seconds: float
    cpu_seconds: float
    before_mib: float
    growth_mib: float


def main() -> None:
    """Measure each number of recipients and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipients", nargs="*", type=int, default=[50_000, 200_000], help="numbers of recipients")
    parser.add_argument("--chunk-size", type=int, default=100)
    parser.add_argument("--max-in-flight", type=int, default=8)
    given = parser.parse_args()
    runs = [measure(count, Options(given.chunk_size, given.max_in_flight)) for count in given.recipients]
    show(runs)


def measure(count: int, options: Options) -> Measured:
    """Run one client against one simulator, each in a separate process."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=run_server, args=(there,))
    server.start()
    with processes.Pool(1) as pool:
        measured = pool.apply(run_client, (here.recv(), count, options))
    here.send("stop")
    charged = here.recv()
    server.join()
    assert charged == count + WARM_UP, f"the simulator charged {charged} recipients, not {count + WARM_UP}"
    return measured


def run_server(pipe: Connection) -> None:
    """Serve until the parent stops it, then send the number of charged recipients."""
    simulator = Simulator(sms_balance=10**9)
    with serve(simulator) as server:
        pipe.send(server.url)
        pipe.recv()
    pipe.send(simulator.ledger.totals.charged_recipients)


def run_client(url: str, count: int, options: Options) -> Measured:
    """Send, and measure this process."""
    return asyncio.run(send(url, count, options))


async def send(url: str, count: int, options: Options) -> Measured:
    """Send to `count` numbers after a warm-up to others."""
    keys = Credentials(PUBLIC_KEY, PRIVATE_KEY)
    async with Callsavvy(keys, base_url=url, pacing=Unlimited()) as callsavvy:
        await callsavvy.bulk.sms(numbers(0, WARM_UP), TEXT, **options._asdict())
        before = memory("VmRSS")
        forget_peak()
        began, cpu_began = time.perf_counter(), time.process_time()
        report = await callsavvy.bulk.sms(numbers(WARM_UP, count), TEXT, **options._asdict())
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    assert report.accepted == count, report
    return Measured(count, report.requests, seconds, cpu_seconds, before, memory("VmHWM") - before)


def numbers(first: int, count: int) -> Iterator[str]:
    """Yield distinct numbers."""
    return (f"+23480{number:08}" for number in range(first, first + count))


def forget_peak() -> None:
    """Reset the peak of resident memory (clear_refs in proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def memory(name: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(status[name].split()[0]) / KIB_PER_MIB


def show(runs: list[Measured]) -> None:
    """Print the runs as a Markdown table, and the memory per additional recipient."""
    print("| recipients | requests | seconds | recipients/s | CPU ms per request | RSS before, MiB | RSS growth, MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for run in runs:
        cells = (
            f"{run.recipients:,}",
            f"{run.requests:,}",
            f"{run.seconds:.1f}",
            f"{run.recipients / run.seconds:,.0f}",
            f"{run.cpu_seconds / run.requests * 1000:.2f}",
            f"{run.before_mib:.1f}",
            f"{run.growth_mib:.1f}",
        )
        print(f"| {' | '.join(cells)} |")
    first, last = runs[0], runs[-1]
    if first is not last:
        bytes_each = (last.growth_mib - first.growth_mib) * 2**20 / (last.recipients - first.recipients)
        per_second = (last.recipients / last.seconds) / (first.recipients / first.seconds)
        print(
            f"\n{last.recipients / first.recipients:.3g} times the recipients: {per_second:.2f} times the recipients"
            f" per second, {bytes_each:.1f} bytes more for each further recipient"
        )


if __name__ == "__main__":
    main()
