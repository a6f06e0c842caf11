"""CPU time and memory of a fresh process up to its first response, beside ``import asyncio, ssl, json``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

from benchmarks.floors.figures import Figures, median
from benchmarks.speed.answers import NUMBER, TEXT

FLOOR = "import asyncio, ssl, json"
FIRST_SEND = f"""
import asyncio
from callsavvy_async import Callsavvy
async def main():
    async with Callsavvy(public_key="public", private_key="private", base_url="{{url}}/v1") as callsavvy:
        await callsavvy.messaging.send_sms({NUMBER!r}, {TEXT!r})
asyncio.run(main())
"""
PEAK = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
ROUNDS = 5


def cpu(url: str) -> Figures:
    """Measure the milliseconds of CPU time, above those of an interpreter that does nothing."""
    programs = (FIRST_SEND.format(url=url), FLOOR, "pass")
    rounds = [[_cpu(program) for program in programs] for _ in range(ROUNDS + 1)][1:]  # the first round compiles
    return median([Figures(ours - nothing, floor - nothing) for ours, floor, nothing in rounds])


def memory(url: str) -> Figures:
    """Measure the peak of memory in MiB, with that of the interpreter."""
    programs = (FIRST_SEND.format(url=url), FLOOR)
    return median([Figures(*map(_peak, programs)) for _ in range(3)])


def _cpu(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _peak(program: str) -> float:
    line = [sys.executable, "-c", program + PEAK]
    return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout) / 1024
