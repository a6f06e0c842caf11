"""Simulate the saturation of a fleet of workers, and write its tables and chart.

python -m benchmarks.simulate_fleet            # rewrites docs/explanation/scale.md and its chart
python -m benchmarks.simulate_fleet --check    # only prints the tables

Rates are those of a discrete-event simulation (benchmarks/fleet_model.py) in its steady state. The duration of a campaign
of N recipients is N / (recipients per request x rate), because all its requests are equal in the model.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from .fleet_model import Costs, Fleet, Steady, simulate

DOCUMENT = Path(__file__).parents[1] / "docs" / "explanation" / "scale.md"
CHART = DOCUMENT.parents[1] / "images" / "scale.png"
MARKS = "<!-- {name}: begin, written by python -m benchmarks.simulate_fleet -->", "<!-- {name}: end -->"

WORKERS = (1, 2, 4, 16, 100)
LIMITS = (10.0, 100.0, 1_000.0, 10_000.0)
NETWORKS = (0.2e-3, 5e-3, 50e-3)
RECIPIENTS = (10**6, 10**7, 10**8, 10**9)
PER_REQUEST = 100
LOADED_PER_SECOND = 70_000
"""Recipients loaded by one process: benchmarks/README.md, "Campaigns" into a file, "Claims" into PostgreSQL."""
BYTES_PER_RECIPIENT = 16
"""In PostgreSQL after a campaign, with indexes and 100 recipients per request. 11 after the load
(``python -m benchmarks.claims``)."""
REDIS = Costs(limiter_reservation=0.05e-3)
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    tables = {"rates": rates(), "durations": durations()}
    if parser.parse_args().check:
        print("\n\n".join(tables.values()))
        return
    text = DOCUMENT.read_text("utf-8")
    for name, table in tables.items():
        begin, end = (mark.format(name=name) for mark in MARKS)
        text = re.sub(
            f"{begin}.*?{end}", lambda _, t=table, b=begin, e=end: f"{b}\n\n{t}\n\n{e}", text, flags=re.DOTALL
        )
    DOCUMENT.write_text(text, "utf-8")
    draw()


def rates() -> str:
    """Return the rates of fleets of all sizes, at all limits, over all networks."""
    rows: list[Sequence[str]] = []
    for network in NETWORKS:
        for workers in WORKERS:
            steady = [simulate(Fleet(workers=workers, limit=limit, network=network)) for limit in LIMITS]
            rows.append((f"{network * 1e3:g} ms", f"{workers}", *map(_cell, steady)))
    return table(("round trip", "workers", *(f"limit {limit:,.0f}/s" for limit in LIMITS)), rows)


def _cell(steady: Steady) -> str:
    return "the limit" if steady.bottleneck == "the limit" else f"{steady.rate:,.0f}/s: {steady.bottleneck}"


def durations() -> str:
    """Return the duration and the size of campaigns."""
    rows = [
        (
            f"{people:,}",
            f"{people // PER_REQUEST:,}",
            _size(people * BYTES_PER_RECIPIENT),
            _time(people / LOADED_PER_SECOND),
            *(_time(people / PER_REQUEST / limit) for limit in LIMITS),
        )
        for people in RECIPIENTS
    ]
    return table(
        ("recipients", "requests", "database", "load, one process", *(f"at {limit:,.0f}/s" for limit in LIMITS)), rows
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with right-aligned columns."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _time(seconds: float) -> str:
    size, unit = next((pair for pair in SECONDS if seconds >= pair[0]), SECONDS[-1])
    return f"{seconds / size:,.3g} {unit}"


def _size(count: float) -> str:
    return f"{count / 1e9:,.3g} GB"


def draw() -> None:
    """Draw the rate and the queues of fleets at a very high limit."""
    import matplotlib as mpl  # noqa: PLC0415 - only the chart needs it

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    sizes = (1, 2, 4, 8, 16, 32, 64, 100)
    fleet = Fleet(workers=1, limit=100_000)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for network in NETWORKS:
        for costs, style, name in ((Costs(), "-", "PostgreSQL"), (REDIS, ":", "Redis")):
            runs = [simulate(attrs.evolve(fleet, workers=n, network=network, costs=costs)) for n in sizes]
            label = f"{network * 1e3:g} ms, limiter in {name}"
            left.plot(sizes, [run.rate for run in runs], style, marker=".", label=label)
    left.set(xscale="log", yscale="log", xlabel="workers, 64 requests in flight each", ylabel="requests per second")
    left.set_title("Rate by round trip to the database", fontsize=10)
    runs = [simulate(attrs.evolve(fleet, workers=n)) for n in sizes]
    for name in ("workers", "database", "log", "limiter"):
        right.plot(sizes, [run.busy[name] for run in runs], marker=".", label=name)
    right.set(xscale="log", xlabel="workers", ylabel="busy, share of the time")
    right.set_title("Utilisation, round trip 0.5 ms, limiter in PostgreSQL", fontsize=10)
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(CHART, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
