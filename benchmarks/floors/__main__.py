"""Print how far the product is above its floors: python -m benchmarks.floors [--only NAME] [--runs 3].

Exits with 1 if a row exceeds its bound.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys

from benchmarks.floors.figures import Figures
from benchmarks.floors.lab import Lab
from benchmarks.floors.rows import AT_LEAST, ROWS, Row
from benchmarks.speed.child import run_command

SECONDS = 600.0
"""Maximum duration of one run of one row."""


def main() -> int:
    """Measure, print a line for each row, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [row.name for row in ROWS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}; median of {given.runs} runs\n")
    print("| row | ours / floor | runs | median | must be | |\n|---|---|---|---:|---:|---|")
    with Lab() as lab:
        kept = [_show(row, lab, given.runs) for row in ROWS if not given.only or row.name in given.only]
    return 0 if all(kept) else 1


def _show(row: Row, lab: Lab, runs: int) -> bool:
    line = [sys.executable, "-m", "benchmarks.floors.child", row.function, *row.arguments]
    line += [str(getattr(lab, need)) for need in row.needs]
    results = [run_command(line, seconds=SECONDS) for _ in range(runs)]
    figures = [Figures(*result) for result in results if result is not None]
    if not figures:
        print(f"| {row.what} | failed |", flush=True)
        return False
    values = [row.value(one) for one in figures]
    median = statistics.median(values)
    middle = figures[values.index(statistics.median_low(values))]
    each = ", ".join(f"{value:.2f}" for value in values)
    sign, verdict = "≥" if row.kind == AT_LEAST else "≤", "holds" if row.holds(median) else "**falls short**"
    print(
        f"| {row.what} | {middle.ours:.1f} / {middle.floor:.1f} {row.unit} | {each} | {median:.2f} |"
        f" {sign} {row.bound} | {verdict} |",
        flush=True,
    )
    return row.holds(median)


if __name__ == "__main__":
    sys.exit(main())
