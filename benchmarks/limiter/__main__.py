"""Play every scenario with every law: `python -m benchmarks.limiter [--seeds 5] [--only adaptive] [--out DIR]`.

Prints one table per group, writes `limiter.json`, and, where matplotlib is installed, one PNG per main shape.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import attrs

from benchmarks.limiter.competitors import COMPETITORS
from benchmarks.limiter.scenarios import CHANGES, OVERLOAD, STEADY, Figures, Scenario
from benchmarks.limiter.servers import Tell, TokenBucket
from benchmarks.limiter.simulation import World, simulate

GROUPS = {"steady": STEADY, "changes": CHANGES, "overload": OVERLOAD}
Results = dict[str, dict[str, list[Figures]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=COMPETITORS, help="one law instead of all")
    parser.add_argument("--group", choices=GROUPS, help="one group of scenarios instead of all")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/limiter/results"))
    options = parser.parse_args(arguments)
    laws = [options.only] if options.only else list(COMPETITORS)
    results: Results = {law: {} for law in laws}
    for group, scenarios in GROUPS.items():
        if options.group not in (None, group):
            continue
        print(
            f"\n{group}: share of the limit % (worst seed) | answers 429 % (worst) | "
            f"{'seconds to find the limit after the change / the return (worst)' if group == 'changes' else 'of 40 s cold: share %, refusals'} | unknown"
        )
        for scenario in scenarios:
            for law in laws:
                figures = [scenario.run(COMPETITORS[law], seed=seed)[1] for seed in range(options.seeds)]
                results[law][scenario.name] = figures
                print(f"{scenario.name:42} {law:20} {_row(scenario, figures)}", flush=True)
    if options.group is None:
        print("\n300 concurrent sends at a hidden bucket of 20/s: answers 429 (seconds), one figure per seed")
        for law in laws:
            for burst, tell in ((20, Tell.NOTHING), (20, Tell.RETRY_AFTER)):
                print(
                    f"burst {burst}, {tell.value:12} {law:20} {_race(law, burst=burst, tell=tell, seeds=options.seeds)}"
                )
    options.out.mkdir(parents=True, exist_ok=True)
    plain = {
        law: {name: [attrs.asdict(f) for f in runs] for name, runs in rows.items()} for law, rows in results.items()
    }
    (options.out / "limiter.json").write_text(json.dumps(plain, indent=1) + "\n")
    try:
        from benchmarks.limiter.plots import draw  # noqa: PLC0415  # matplotlib is optional
    except ImportError:
        print("\nno plots: matplotlib is not installed")
        return
    for path in draw(laws, options.out):
        print(f"wrote {path}")


def _row(scenario: Scenario, runs: list[Figures]) -> str:
    share = f"{mean(f.share for f in runs):6.1f} ({min(f.share for f in runs):5.1f})"
    refused = f"{mean(f.refused for f in runs):5.2f} ({max(f.refused for f in runs):5.2f})"
    found = [f.found for f in runs if f.found is not None]
    if found:
        third = f"{max(drop for drop, _ in found):4.0f} / {max(rise for _, rise in found):4.0f}"
    else:
        third = f"{min(f.cold_share for f in runs):4.0f} {max(f.cold_refusals for f in runs):4d}"
    missed = "" if not scenario.held or _holds(runs) else "  goal missed"
    return f"{share} | {refused} | {third} | {max(f.unknown for f in runs):5d}{missed}"


def _holds(runs: list[Figures]) -> bool:
    """Tell whether the steady goal is held: 97 % of the limit with at most 1 % refused, in the mean of the seeds."""
    if runs[0].found is not None:
        return True
    return mean(f.share for f in runs) >= 97.0 and mean(f.refused for f in runs) <= 1.0


def _race(law: str, *, burst: int, tell: Tell, seeds: int) -> str:
    cells: list[str] = []
    for seed in range(seeds):
        server = TokenBucket(20, burst, tell)
        run = simulate(COMPETITORS[law](server), World(server, seconds=600.0, calls=300, workers=300), seed=seed)
        cells.append(f"{len(run.refused):5d} ({run.ended:4.1f})")
    return " ".join(cells)


if __name__ == "__main__":
    main()
