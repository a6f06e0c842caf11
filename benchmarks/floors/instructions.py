"""Instructions in user space, which do not depend on other work of the machine. Needs valgrind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from benchmarks.floors.figures import Figures

_COUNT = re.compile(r"Collected : (\d+)")
FEW, MANY = 320, 960
PROGRAM = """
import asyncio
from benchmarks.floors import sends
from benchmarks.speed.target import Target
async def main():
    async with sends.{side}(Target({url!r}, "", {in_flight})) as work:
        await work({units})
sends.runner_of({loop!r})(main())
"""


def send(loop: str, in_flight: str, url: str) -> Figures:
    """Count the thousands of instructions of one send and of a bare exchange: a long process less a short one."""

    def each(side: str) -> float:
        few, many = (
            count(PROGRAM.format(side=side, url=url, in_flight=in_flight, units=units, loop=loop))
            for units in (FEW, MANY)
        )
        return (many - few) / (MANY - FEW) / 1e3

    return Figures(each("sdk"), each("bare"))


def count(program: str) -> int:
    """Return the instructions of a program in a fresh interpreter."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    line = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    ended = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    found = _COUNT.search(ended.stderr)
    if ended.returncode or found is None:
        raise SystemExit(ended.stderr)
    return int(found[1])
