"""Read a list of 10,000 tickets through the whole client: python -m benchmarks.speed.lists URL, in a separate process."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.speed import child, cores, memory, ours
from benchmarks.speed.answers import TICKETS
from benchmarks.speed.servers import Servers
from benchmarks.speed.target import Target

READS = 9


async def run(url: str) -> dict[str, Any]:
    """Read the list several times, and also only fetch it each time. The difference is the cost of decoding."""
    async with ours.connect(Target(url, "")) as callsavvy:

        async def read() -> None:
            assert len(await callsavvy.tickets.list()) == TICKETS

        fetch = await ours.recorded(callsavvy, read)
        before = memory.resident()
        memory.forget_peak()
        whole, fetched = [], []
        for _ in range(READS):
            whole.append(await _cpu(read))
            fetched.append(await _cpu(fetch))
        grown = memory.peak() - before
    return {
        "rows": TICKETS,
        "whole_ms": round(statistics.median(whole), 1),
        "fetch_ms": round(statistics.median(fetched), 1),
        "decode_ms": round(statistics.median(whole) - statistics.median(fetched), 1),
        "growth_mib": round(grown, 1),
    }


async def _cpu(call: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    began = time.process_time()
    await call()
    return (time.process_time() - began) * 1e3


def measure(servers: Servers) -> dict[str, Any]:
    """Measure in a separate process."""
    return child.run_command([sys.executable, "-m", "benchmarks.speed.lists", servers.plain], seconds=10) or {}


if __name__ == "__main__":
    cores.pin(cores.CLIENT)
    print(json.dumps(asyncio.run(run(sys.argv[1]))))
