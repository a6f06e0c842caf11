"""Instructions in user space, which hardly depend on other work of the machine: python -m benchmarks.floors.instructions.

Fails if a send exceeds its budget. Needs valgrind, so CI holds the function calls of `benchmarks.speed.counts` in its place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.floors.figures import Figures
from benchmarks.floors.lab import Lab

_COUNT = re.compile(r"^totals: (\d+)", re.MULTILINE)
WARMING, SENDS = 320, 640
PROGRAM = """
import asyncio, os
from benchmarks.floors import sends
from benchmarks.speed.target import Target
async def main():
    async with sends.{side}(Target({url!r}, "", {in_flight})) as work:
        await work({warming})
        os.getppid()
        await work({sends})
        os.getppid()
sends.runner_of({loop!r})(main())
"""
"""The two calls of getppid, which nothing else makes, mark what counts: one process in place of a long one and a short one."""

BUDGETS = {"asyncio": 122.0, "uvloop": 105.0}
"""Thousands of instructions of one send, 64 in flight, on CPython 3.11. A loaded machine adds turns of the event loop."""
TOLERANCE = 1.03


def send(loop: str, in_flight: str, url: str) -> Figures:
    """Count the thousands of instructions of one send and of a bare exchange."""

    def each(side: str) -> float:
        program = PROGRAM.format(side=side, url=url, in_flight=in_flight, warming=WARMING, sends=SENDS, loop=loop)
        return count(program) / SENDS / 1e3

    return Figures(each("sdk"), each("bare"))


def count(program: str) -> int:
    """Return the instructions of a program between its two calls of getppid, in a fresh interpreter."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
        tool = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={folder}/parts"]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        ended = subprocess.run(
            [*tool, sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
        )
        between = Path(folder, "parts.2")  # the first part ends at the first mark
        found = _COUNT.search(between.read_text("utf-8")) if between.exists() else None
    if ended.returncode or found is None:
        raise SystemExit(ended.stderr)
    return int(found[1])


def main() -> int:
    """Count, print, and return an exit status that tells whether the budgets are kept."""
    kept = True
    with Lab() as lab:
        for loop, budget in BUDGETS.items():
            figures = send(loop, "64", lab.plain)
            kept &= figures.ours <= budget * TOLERANCE
            print(f"{loop}: {figures.ours:.1f}, bare {figures.floor:.1f}, budget {budget:.0f}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
