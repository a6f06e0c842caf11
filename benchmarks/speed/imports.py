"""Measure imports and the creation of the first client: CPU seconds and memory of fresh interpreters."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from benchmarks.speed import child
from benchmarks.speed.contestants import ALL

TIMED = """
import json, time
def memory():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024
{first}
before, began = memory(), time.process_time()
{then}
print(json.dumps({{"ms": (time.process_time() - began) * 1e3, "mib": memory() - before}}))
"""
READY = 'from callsavvy_async import Callsavvy; Callsavvy(public_key="a", private_key="b")'


def measure(*, rounds: int) -> dict[str, dict[str, float]]:
    """Measure in turn, and return the medians of the rounds."""
    plan = {
        "import asyncio": ("", "import asyncio", sys.executable),
        "import callsavvy_async, after asyncio": ("import asyncio", "import callsavvy_async", sys.executable),
        "first client ready": ("", READY, sys.executable),
        "import httpx": ("", "import httpx", sys.executable),
    }
    for contestant in ALL:
        if contestant.kind == "peer" and contestant.distribution:
            then = f"import {contestant.distribution}"
            plan[then] = ("", then, child.python_of(contestant.name))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in plan}
    for number in range(rounds + 1):
        for name, (first, then, python) in plan.items():
            run = child.run_command([python, "-c", TIMED.format(first=first, then=then)], seconds=1)
            if run is not None and number:  # the first round compiles
                runs[name].append(run)
    return {
        name: {key: round(statistics.median(run[key] for run in measured), 2) for key in ("ms", "mib")}
        for name, measured in runs.items()
    }
