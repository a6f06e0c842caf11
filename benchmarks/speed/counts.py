"""Count the function calls and system calls of one send, free of noise: python -m benchmarks.speed.counts.

Fails if the default backend exceeds its budget. CI runs it. Needs strace.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.speed import child
from benchmarks.speed.contestants import ALL, DEFAULT, Contestant
from benchmarks.speed.runner import Task
from benchmarks.speed.servers import slow_server

MOST_FUNCTIONS = 118
"""Budget with several requests in flight, as in a bulk send: they share the turns of the event loop.

Nine are guards: no private argument in a traceback, no text that cannot be encoded, one limiter for several event loops."""
MOST_FUNCTIONS_ALONE = 141
"""Budget one at a time: each send pays for two turns of the event loop, a third of the total."""
MOST_SYSCALLS = 7
"""Budget one at a time: a check of the idle connection, a write, a read, two polls of the event loop, and two getpid of
Python 3.11's running loop."""
SEVERAL = 16
SENDS = 960
"""Number of sends over which the counts are averaged."""


def count(contestant: Contestant, url: str) -> dict[str, Any]:
    """Return the function calls and the system calls of one send on open connections."""
    alone, several = (
        child.run(Task(contestant.name, url, "", in_flight=in_flight, calls=SENDS, measure="functions"))
        for in_flight in (1, SEVERAL)
    )
    assert alone is not None, f"{contestant.name} did not end"
    assert several is not None, f"{contestant.name} did not end"
    few, many = (_syscalls(contestant, url, calls) for calls in (SENDS, 2 * SENDS))
    each = {name: round((many.get(name, 0) - few.get(name, 0)) / SENDS, 2) for name in sorted({*few, *many})}
    return {
        "functions": several["functions"],
        "functions_alone": alone["functions"],
        "syscalls": round(sum(each.values()), 2),
        "syscalls_by_name": {name: number for name, number in each.items() if abs(number) >= 0.01},
        "most_called": several["most_called"],
    }


def _syscalls(contestant: Contestant, url: str, calls: int) -> dict[str, int]:
    """Return the counts of a whole process. The difference between two processes excludes start and end."""
    if shutil.which("strace") is None:
        raise SystemExit("strace is not installed: apt-get install strace")
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as table:
        line = child.command(Task(contestant.name, url, "", calls=calls, measure="calls"))
        tracing = ["strace", "-f", "-c", "-U", "name,calls", "-o", table.name, *line]
        subprocess.run(tracing, env=child.environment(""), check=True, capture_output=True, timeout=child.PATIENCE)
        rows = [row.split() for row in table.read().splitlines()]
    return {
        name: int(number)
        for name, number in (row for row in rows if len(row) == 2)
        if number.isdecimal() and name != "total"
    }


def main() -> int:
    """Count, print, and return an exit status that tells whether the budget is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", default=[DEFAULT], help="contestants; all of ours and the HTTP clients: all"
    )
    parser.add_argument("--json", type=Path, help="file for the counts and the most called functions")
    given = parser.parse_args()
    chosen = [one for one in ALL if one.name in given.names or (given.names == ["all"] and one.kind != "peer")]
    if any(not contestant.ours for contestant in chosen):
        child.prepare_anchors()
    with slow_server(0.0) as url:
        counts = {contestant.name: count(contestant, url) for contestant in chosen}
    for name, one in counts.items():
        print(
            f"{name}: {one['functions']:.0f} function calls for each send, {SEVERAL} in flight; one at a time"
            f" {one['functions_alone']:.0f}, and {one['syscalls']:.1f} system calls"
        )
    if given.json:
        given.json.write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    ours = counts.get(DEFAULT)
    budget = {"functions": MOST_FUNCTIONS, "functions_alone": MOST_FUNCTIONS_ALONE, "syscalls": MOST_SYSCALLS}
    if ours and any(round(ours[name]) > most for name, most in budget.items()):
        print(f"too many: at most {', '.join(map(str, budget.values()))}; where they go:", file=sys.stderr)
        for name, number in [*ours["syscalls_by_name"].items(), *ours["most_called"].items()]:
            print(f"{number:8.2f}  {name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
