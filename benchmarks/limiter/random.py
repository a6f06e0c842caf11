"""Run random servers, ten minutes each: `python -m benchmarks.limiter.random --servers 1000 --seed N [--minutes 10]`.

Two clients use each server in virtual time: `Adaptive`, which does not know the limit, and an informed client, which does
(`drawn_run.py`). Both have endless work and at most 64 requests in flight.

The script prints the worst twenty servers with their attributes. `--only NUMBER` runs one of them again. A run of a fast
server ends after `--most` requests, but not before a minute, so that 100 servers take about two minutes of one core.
`--processes N` uses N cores; the figures stay the same.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median, quantiles

import attrs

from benchmarks.limiter.drawn import CAP, Draw, draw
from benchmarks.limiter.drawn_run import Tally, play, ruler
from callsavvy_async.policy.adaptive import Adaptive

SHORTEST = 60.0
"""Minimum seconds of a run."""


@attrs.frozen
class Row:
    """One server, with the figures of the adaptive and of the informed client."""

    number: int
    one: Draw
    informed: Tally
    learned: Tally

    @property
    def share(self) -> float:
        """Accepted requests in percent of the informed client's."""
        return 100.0 * self.learned.accepted / max(1, self.informed.accepted)

    def __str__(self) -> str:
        shown = attrs.asdict(self.one, filter=lambda field, value: value != attrs.fields_dict(Draw)[field.name].default)
        words = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items()
        )
        return (
            f"#{self.number}: {self.share:.1f} % of {self.informed.accepted} (429s: informed {self.informed.refused}), 429s"
            f" {self.learned.refused} = {self.learned.refused_share:.2f} %, {self.learned.cold} in 40 s: {words}"
        )


def measure(number: int, *, seed: int, minutes: float = 10.0, most: float = math.inf) -> Row:
    """Run one server. A run ends after about `most` requests, but not before `SHORTEST`."""
    one = draw(seed, number)
    seconds = min(60.0 * minutes, max(SHORTEST, most / min(one.rate, CAP / one.latency)))
    informed = ruler(one, seconds=seconds, seed=number)
    return Row(number, one, informed, play(one, Adaptive(), seconds=seconds, seed=number))


def run_all(numbers: Sequence[int], processes: int, run: Callable[[int], Row]) -> Iterator[Row]:
    """Run all servers, in this process or in several."""
    if processes == 1:
        yield from map(run, numbers)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(run, numbers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures and the worst servers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter.random", description=__doc__)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the servers to run")
    parser.add_argument("--minutes", type=float, default=10.0, help="maximum duration of each run")
    parser.add_argument("--most", type=float, default=3000.0, help="requests after which a run ends early")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--worst", type=int, default=20)
    options = parser.parse_args(arguments)
    began, rows = time.perf_counter(), list[Row]()
    run = partial(measure, seed=options.seed, minutes=options.minutes, most=options.most)
    for row in run_all(options.only or range(options.servers), options.processes, run):
        rows.append(row)
        if sys.stderr.isatty():
            print(f"\r{len(rows)}", end="", file=sys.stderr)
    print(f"seed {options.seed}, {len(rows)} servers, {time.perf_counter() - began:.0f} s\n")
    report(rows, options.worst)


def report(rows: list[Row], worst: int) -> None:
    """Print the figures against the goals, and the worst servers."""
    shares = [row.share for row in rows]
    refused, informed = [row.learned.refused_share for row in rows], [row.informed.refused_share for row in rows]
    cold = [row.learned.cold for row in rows]
    print("| | goal | median | 5th or 95th percentile |\n|---|---|---:|---:|")
    print(f"| accepted, % of the informed client | >= 98, >= 93 | {median(shares):.1f} | {_at(shares, 5):.1f} |")
    print(f"| 429s, % | <= 0.5, <= 1.5 | {median(refused):.2f} | {_at(refused, 95):.2f} |")
    print(f"| 429s in the first 40 s | <= 12 at the 95th | {median(cold):.0f} | {_at(cold, 95):.0f} |")
    print(f"| 429s, %, informed client | | {median(informed):.2f} | {_at(informed, 95):.2f} |")
    by_share = sorted(rows, key=lambda row: row.share)
    by_refused = sorted(rows, key=lambda row: -row.learned.refused_share)
    for title, found in (("Fewest accepted", by_share), ("Most 429s", by_refused)):
        print(f"\n{title}")
        for row in found[:worst]:
            print(f"  {row}")


def _at(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


if __name__ == "__main__":
    main()
