"""Send many messages that must wait: python -m benchmarks.speed.waiting JSON, in a separate process.

Three ways: ``bulk`` (the client's bulk send, one recipient per request), ``workers`` (a fixed number of tasks over an
iterator) and ``gather`` (one task for every message).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Self

from benchmarks.speed import child, cores, memory
from benchmarks.speed.answers import TEXT
from benchmarks.speed.contestants import BY_NAME, DEFAULT
from benchmarks.speed.servers import Servers
from benchmarks.speed.target import Call, Target

WARM_UP = 1_000
TICK = 0.002
"""Seconds between two checks of the event loop."""


class Task(NamedTuple):
    """The number of messages and the way to send them."""

    contestant: str
    way: str
    messages: int
    url: str
    in_flight: int = 64
    within: float = 60.0
    """Seconds until the measurement is cancelled."""


class Ticker:
    """Reads the clock every `TICK` seconds. The delay of a reading is the time for which the loop was blocked.

    Wall-clock seconds include other processes on the core. CPU seconds include only this process.
    """

    def __init__(self) -> None:
        self.longest = self.longest_cpu = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        wall, cpu = time.perf_counter(), time.process_time()
        while True:
            await asyncio.sleep(TICK)
            now, now_cpu = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, now - wall - TICK)
            self.longest_cpu = max(self.longest_cpu, now_cpu - cpu)
            wall, cpu = now, now_cpu


async def run(task: Task) -> dict[str, Any]:
    """Warm up, send, and return the figures."""
    ticker = Ticker()
    async with Sending(task) as sending:
        await sending.warm_up()
        before = memory.resident()
        memory.forget_peak()
        ticking = asyncio.create_task(ticker.run())
        await asyncio.sleep(0.05)
        began, began_cpu = time.perf_counter(), time.process_time()
        with suppress(TimeoutError):
            async with asyncio.timeout(task.within):
                await getattr(sending, task.way)(task.messages)
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        await asyncio.sleep(0.05)
        ticking.cancel()
        grown = memory.peak() - before
    return {
        "messages": task.messages,
        "sent": sending.sent,
        "seconds": round(seconds, 2),
        "per_second": round(sending.sent / seconds),
        "per_cpu_second": round(sending.sent / cpu),
        "growth_mib": round(grown, 1),
        "longest_block_ms": round(ticker.longest * 1e3, 1),
        "longest_block_cpu_ms": round(ticker.longest_cpu * 1e3, 1),
    }


class Sending:
    """An open contestant, and the ways to send with it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.target = Target(task.url, "", task.in_flight)
        self.sent = 0

    async def __aenter__(self) -> Self:
        self.opened = BY_NAME[self.task.contestant].open(self.target)
        self.call: Call = await self.opened.__aenter__()
        if self.task.way == "bulk":
            from benchmarks.speed import ours  # noqa: PLC0415 - only this contestant needs it

            self.client = ours.connect(self.target)
        return self

    async def __aexit__(self, *details: object) -> None:
        with suppress(Exception):  # the rest of a cancelled run
            await self.opened.__aexit__(None, None, None)
        if self.task.way == "bulk":
            await self.client.aclose()

    async def warm_up(self) -> None:
        """Open the connections and load every module."""
        await (self.bulk if self.task.way == "bulk" else self.workers)(WARM_UP)
        self.sent = 0

    async def bulk(self, count: int) -> None:
        """Send to this number of recipients, one per request."""
        numbers = (f"+2348{number:09}" for number in range(count))
        report = await self.client.bulk.sms(numbers, TEXT, chunk_size=1, max_in_flight=self.task.in_flight)
        self.sent += report.accepted

    async def workers(self, count: int) -> None:
        """Send this number of messages with a fixed number of tasks."""
        todo = iter(range(count))

        async def worker(todo: Iterator[int]) -> None:
            for _ in todo:
                await self.call()
                self.sent += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(self.task.in_flight):
                group.create_task(worker(todo))

    async def gather(self, count: int) -> None:
        """Send this number of messages with one task for each."""

        async def one() -> None:
            await self.call()
            self.sent += 1

        await asyncio.gather(*(one() for _ in range(count)))


def measure(servers: Servers, *, full: bool) -> list[dict[str, Any]]:
    """Send in every way. Only the full form includes the largest numbers."""
    few, many, most = (10_000, 100_000, 1_000_000) if full else (2_000, 10_000, 0)
    plan = [
        (DEFAULT, "bulk", few),
        (DEFAULT, "bulk", many),
        (DEFAULT, "workers", many),
        (DEFAULT, "gather", few),
        ("aiohttp", "workers", many),
        ("httpx", "gather", 1_000),
    ]
    if full:
        plan += [(DEFAULT, "gather", many), ("aiohttp", "gather", few), ("aiohttp", "gather", many)]
    if most:
        plan.append((DEFAULT, "bulk", most))
    rows: list[dict[str, Any]] = []
    for contestant, way, messages in plan:
        print(f"waiting: {contestant}, {way}, {messages:,}", flush=True)
        within = 60.0 + messages / 2_000
        task = Task(contestant, way, messages, servers.plain, within=within)
        line = [child.python_of(contestant), "-m", "benchmarks.speed.waiting", json.dumps(task._asdict())]
        result = child.run_command(line, seconds=within) or {"messages": messages, "sent": 0}
        rows.append({"contestant": contestant, "way": way, **result})
    return rows


def main() -> None:
    """Run the task of the command line on the clients' core."""
    task = Task(**json.loads(sys.argv[1]))
    cores.pin(cores.CLIENT)
    print(json.dumps(asyncio.run(run(task))))


if __name__ == "__main__":
    main()
