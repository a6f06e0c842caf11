"""Run one contestant in one process: python -m benchmarks.speed.runner JSON. Prints the results as JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from types import CodeType, FrameType
from typing import Any, NamedTuple

from benchmarks.speed import cores
from benchmarks.speed.contestants import BY_NAME
from benchmarks.speed.target import Call, Target

WARM_UP = 0.3
"""Duration of the warm-up as a part of the measured seconds."""
WARM_UP_CALLS = 2
"""Requests of every worker before the measurement, to open all connections."""
PATIENCE = 15.0
"""Seconds for requests in flight to end after the measurement."""
SHOWN = 60
"""Number of functions in the list of the most called ones."""


class Task(NamedTuple):
    """A measurement."""

    contestant: str
    url: str
    certificates: str
    in_flight: int = 1
    seconds: float = 1.0
    calls: int = 0
    """Number of requests, instead of a measurement of `seconds`."""
    collector: bool = True
    """True to run the garbage collector, which is the default."""
    measure: str = "time"
    """``time``, ``functions``, ``calls`` (only send) or ``failure`` (send one that fails)."""


async def run(task: Task) -> dict[str, Any]:
    """Open the contestant and measure."""
    target = Target(task.url, task.certificates, task.in_flight)
    async with BY_NAME[task.contestant].open(target) as call:
        if task.measure == "time":
            return await _time(task, call)
        if task.measure == "functions":
            return await _count_functions(task, call)
        if task.measure == "failure":
            return await _fail(call)
        for _ in range(task.calls):
            await call()
        return {}


async def _time(task: Task, call: Call) -> dict[str, Any]:
    await _work(call, task.in_flight, task.seconds * WARM_UP, least=WARM_UP_CALLS)
    gc.collect()
    if not task.collector:
        gc.disable()
    began, began_cpu = time.perf_counter(), time.process_time()
    latencies, unsent = await _work(call, task.in_flight, task.seconds)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    if not latencies:
        return {"calls": 0, "unsent": unsent, "seconds": seconds}
    latencies.sort()
    return {
        "calls": len(latencies),
        "unsent": unsent,
        "seconds": seconds,
        "cpu_us": cpu / len(latencies) * 1e6,
        "per_second": len(latencies) / seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
    }


async def _work(call: Call, workers: int, seconds: float, *, least: int = 0) -> tuple[list[float], int]:
    latencies: list[float] = []
    clock = time.perf_counter
    ends = clock() + seconds

    async def worker() -> None:
        made = 0
        while (began := clock()) < ends or made < least:
            await call()
            made += 1
            latencies.append(clock() - began)

    _, unsent = await asyncio.wait([asyncio.create_task(worker()) for _ in range(workers)], timeout=seconds + PATIENCE)
    for task in unsent:
        task.cancel()
    return latencies, len(unsent)


async def _count_functions(task: Task, call: Call) -> dict[str, Any]:
    each = task.calls // task.in_flight

    async def worker(calls: int) -> None:
        for _ in range(calls):
            await call()

    async def work(calls: int) -> None:
        await asyncio.gather(*(worker(calls) for _ in range(task.in_flight)))

    await work(max(each // 4, 10))
    python: Counter[CodeType] = Counter()
    builtin: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            python[frame.f_code] += 1
        elif event == "c_call":
            builtin[str(argument.__module__ or ""), argument.__qualname__] += 1

    gc.collect()
    sys.setprofile(note)
    try:
        await work(each)
    finally:
        sys.setprofile(None)
    named = Counter({f"{_place(code)}:{code.co_qualname}": count for code, count in python.items()})
    named.update({".".join(filter(None, name)): count for name, count in builtin.items()})
    return {
        "functions": round(named.total() / task.calls, 2),
        "most_called": {name: round(count / task.calls, 2) for name, count in named.most_common(SHOWN)},
    }


def _place(code: CodeType) -> str:
    return "/".join(code.co_filename.rsplit("/", 2)[-2:])


async def _fail(call: Call) -> dict[str, Any]:
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - contestants raise different exceptions
        return {"raised": type(error).__name__}
    return {"raised": None}


def main() -> None:
    """Run the task of the command line on the clients' core."""
    task = Task(**json.loads(sys.argv[1]))
    cores.pin(cores.CLIENT)
    print(json.dumps(asyncio.run(run(task))), flush=True)
    os._exit(0)  # pyreqwest's threads sometimes crash an interpreter that ends normally


if __name__ == "__main__":
    main()
