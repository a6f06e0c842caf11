"""Compare fleets of 1, 2 and 4 real workers on a real PostgreSQL with the model of benchmarks/fleet_model.py.

python -m benchmarks.cluster      # a minute; the cost of claims in a large campaign: python -m benchmarks.claims

Workers are ``callsavvy campaigns work``. The API is a simulator in another process that takes 0.1 s for a response. A
worker has 8 requests in flight, so that the machine's cores are not the bottleneck. The database is that of the tests,
which does not flush to the disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import anyio

from callsavvy_async import SMS
from callsavvy_async.campaigns import Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from testbed.account import account
from testbed.servers.postgres import PostgresServer

from .fleet_model import Fleet, simulate

SIZES = (1, 2, 4)
REQUESTS_PER_WORKER = 800
IN_FLIGHT = 8
LATENCY = 0.1
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    with PostgresServer() as server, account(1, LATENCY) as service:
        print("| workers | requests/s | ratio | the model says | CPU ms per request, workers | … database |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        first = 0.0
        for workers in SIZES:
            rate, worker_ms, database_ms = measure(workers, server, service.url)
            first = first or rate
            said = simulate(Fleet(workers=workers, limit=1e6, in_flight=IN_FLIGHT, api_latency=LATENCY)).rate
            print(
                f"| {workers} | {rate:,.1f} | {rate / first:.2f} | {said:,.1f} | {worker_ms:.2f} | {database_ms:.2f} |",
                flush=True,
            )


def measure(workers: int, server: PostgresServer, url: str) -> tuple[float, float, float]:
    """Return the requests per second of a working fleet, and the CPU time per request of workers and database."""
    journal = server.new_database()
    requests = REQUESTS_PER_WORKER * workers
    anyio.run(load, journal, requests)
    settings = {
        **os.environ,
        "CALLSAVVY_BASE_URL": url,
        "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
        "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
    }
    command = [sys.executable, "-m", "callsavvy_async", "campaigns", "work", journal, "c", "-o", "json"]
    options = ["--rate", "100000/s", "--burst", "64", "--max-in-flight", str(IN_FLIGHT)]
    database, children = database_cpu(server), children_cpu()
    fleet = [
        subprocess.Popen([*command, *options], env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(workers)
    ]
    settled = anyio.run(watch, journal, requests)
    reports = [json.loads(one.communicate(timeout=120)[0])["result"] for one in fleet]
    assert all(report["accepted"] == requests for report in reports), reports
    database, spent = database_cpu(server) - database, children_cpu() - children
    children = children_cpu()
    subprocess.run(command, env=settings, check=True, stdout=subprocess.DEVNULL)  # finds everything done
    start = children_cpu() - children
    return settled, (spent - workers * start) * 1e3 / requests, database * 1e3 / requests


def children_cpu() -> float:
    """Return the CPU seconds of ended child processes."""
    times = os.times()
    return times.children_user + times.children_system


async def load(journal: str, requests: int) -> None:
    async with Journal.open(journal) as opened:
        campaign = await opened.campaign("c", SMS("Hello"), chunk_size=1)
        await campaign.load([f"+234{n:010}" for n in range(requests)])


async def watch(journal: str, requests: int) -> float:
    """Return the rate between a fifth and four fifths of the requests, when all workers are busy."""
    samples: list[tuple[float, int]] = []
    async with Journal.open(journal, read_only=True) as opened:
        campaign = await opened.campaign("c")
        while True:
            accepted = (await campaign.status()).accepted
            samples.append((time.monotonic(), accepted))
            if accepted >= requests:
                break
            await anyio.sleep(0.1)
    middle = [(at, done) for at, done in samples if requests * 0.2 <= done <= requests * 0.8]
    (began, before), (ended, after) = middle[0], middle[-1]
    return (after - before) / (ended - began)


def database_cpu(server: PostgresServer) -> float:
    """Return the CPU seconds of a server and of all its processes, including ended ones."""
    master = int((server._data / "postmaster.pid").read_text().split()[0])  # noqa: SLF001 - it is a fixture of ours
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) == master:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == master:
            total += sum(map(int, fields[11:13]))
    return total / TICK


if __name__ == "__main__":
    main()
