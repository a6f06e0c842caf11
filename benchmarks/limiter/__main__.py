"""Run every scenario: `python -m benchmarks.limiter [--seeds 5] [--group steady] [--out DIR]`.

The command prints the tables and writes them to `tables.md`, the figures to `limiter.json`, and with matplotlib one PNG
for each main server. Without `--group`, the other controllers run some of the scenarios too, with one seed each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import attrs

from benchmarks.limiter.competitors import COMPETITORS, Told
from callsavvy_async.policy.adaptive import Adaptive
from testbed.limiter.scenarios import CHANGES, COLD_START, HOLDOUT, OVERLOAD, STEADY, Figures, Scenario
from testbed.limiter.servers import Tell, TokenBucket
from testbed.limiter.simulation import World, simulate

GROUPS = {"steady": STEADY, "changes": CHANGES, "overload": OVERLOAD, "holdout": HOLDOUT}
TITLES = {
    "steady": "Constant limits",
    "changes": "Limits that change and are restored",
    "overload": "Overloaded servers",
    "holdout": "Hold-out: limits that the controller was not tuned with",
}
BESIDE = (
    "bucket 10/s, burst 20",
    "bucket 100/s, burst 100",
    "fixed 600 per 60 s",
    "sliding 600 per 60 s",
    "bucket 10/s halves",
    "fixed 600 per 60 s halves",
    "sliding 600 per 60 s halves",
    "degrading, 10 workers",
)
JITTERY = ("bucket 10/s, burst 1", "bucket 10/s, burst 3", "fixed 10 per 1 s", "sliding 10 per 1 s")
WARM = ("bucket 10/s, burst 20", "bucket 100/s, burst 100", "fixed 600 per 60 s", "sliding 600 per 60 s")
Results = dict[str, list[Figures]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--group", choices=GROUPS, help="one group of scenarios instead of all")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/limiter/results"))
    options = parser.parse_args(arguments)
    results: Results = {}
    lines: list[str] = []
    for line in _tables(options.seeds, options.group, results):
        print(line, flush=True)
        lines.append(line)
    if options.group is not None:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tables.md").write_text("\n".join(lines).strip() + "\n")
    plain = {name: [attrs.asdict(figures) for figures in runs] for name, runs in results.items()}
    (options.out / "limiter.json").write_text(json.dumps(plain) + "\n")
    try:
        from benchmarks.limiter.plots import draw  # noqa: PLC0415  # matplotlib is optional
    except ImportError:
        print("\nno plots: matplotlib is not installed")
        return
    for path in draw(options.out):
        print(f"wrote {path}")


def _tables(seeds: int, group: str | None, results: Results) -> Iterator[str]:
    for name in [group] if group else GROUPS:
        third = "seconds until found: the change / the return (worst)"
        cold = f"first {COLD_START:.0f} s: share, % (lowest) | 429s (most)"
        yield f"\n### {TITLES[name]}\n"
        last = {"steady": cold, "changes": third, "overload": "sends of unknown outcome (most)"}.get(name, third)
        yield f"| server | share of the limit, % (worst) | 429s, % (worst) | {last} |"
        yield "|---|---:|---:|" + "---:|" * (1 + last.count(" | "))
        for scenario in GROUPS[name]:
            results[scenario.name] = runs = [scenario.run(COMPETITORS["adaptive"], seed=s)[1] for s in range(seeds)]
            yield f"| {scenario.name} | {_row(name, runs)} |"
    if group is None:
        yield from _jitter(results)
        yield from _warm(seeds)
        yield from _race(seeds)
        yield from _beside(results)


def _row(group: str, runs: list[Figures]) -> str:
    share = f"{mean(f.share for f in runs):.1f} ({min(f.share for f in runs):.1f})"
    refused = f"{mean(f.refused for f in runs):.2f} ({max(f.refused for f in runs):.2f})"
    found = [f.found for f in runs if f.found is not None]
    if group == "overload":
        last = f"{max(f.unknown for f in runs)}"
    elif group == "steady":
        cold = f"{mean(f.cold_share for f in runs):.0f} ({min(f.cold_share for f in runs):.0f})"
        last = f"{cold} | {max(f.cold_refusals for f in runs)}"
    else:
        last = f"{max(drop for drop, _ in found):.0f} / {max(rise for _, rise in found):.0f}" if found else ""
    return f"{share} | {refused} | {last}"


def _jitter(results: Results) -> Iterator[str]:
    """Compare with even pacing at the best rate, which is the maximum under the network's jitter."""
    yield "\n### 429s caused by the network's jitter\n"
    yield "| server | adaptive, % | best even pace with at most 1 % of 429s, % | adaptive relative to it, % |"
    yield "|---|---:|---:|---:|"
    for scenario in STEADY:
        if scenario.name in JITTERY:
            best = max(_evenly(scenario, 0.01 * percent) for percent in range(74, 102))
            share = mean(f.share for f in results[scenario.name])
            yield f"| {scenario.name} | {share:.1f} | {best:.1f} | {100.0 * share / best:.1f} |"


def _evenly(scenario: Scenario, part: float) -> float:
    figures = scenario.run(lambda server: Told(rate=part * server.rate), seed=0)[1]
    return figures.share if figures.refused <= 1.0 else 0.0


def _warm(seeds: int) -> Iterator[str]:
    """Restore the state after five minutes, and measure the first forty seconds of the next process."""
    yield "\n### Warm start\n"
    yield f"| server | first {COLD_START:.0f} s: share, % (lowest) | 429s (most) |\n|---|---:|---:|"
    for scenario in STEADY:
        if scenario.name in WARM:
            runs = [_restarted(scenario, seed) for seed in range(seeds)]
            yield f"| {scenario.name} | {min(share for share, _ in runs):.0f} | {max(refused for _, refused in runs)} |"


def _restarted(scenario: Scenario, seed: int) -> tuple[float, int]:
    first, second = Adaptive(), Adaptive()
    simulate(first, World(scenario.server(seed), seconds=300.0), seed=seed)
    second.restore(attrs.asdict(first.snapshot(300.0)))
    server = scenario.server(seed)
    run = simulate(second, World(server, seconds=COLD_START), seed=seed + 1)
    return 100.0 * len(run.accepted) / (server.rate * COLD_START), len(run.refused)


def _race(seeds: int) -> Iterator[str]:
    yield "\n### 300 sends at once at a hidden bucket of 20/s\n"
    yield "| burst 20 | 429s, one figure per seed | seconds |\n|---|---|---|"
    for tell in (Tell.NOTHING, Tell.RETRY_AFTER):
        runs = []
        for seed in range(seeds):
            world = World(TokenBucket(20, 20, tell), seconds=600.0, requests=300, workers=300)
            runs.append(simulate(Adaptive(), world, seed=seed))
        refused = ", ".join(str(len(run.refused)) for run in runs)
        yield f"| {tell.value} | {refused} | {', '.join(f'{run.ended:.1f}' for run in runs)} |"


def _beside(results: Results) -> Iterator[str]:
    yield "\n### Comparison with other controllers\n"
    yield f"| server | {' | '.join(COMPETITORS)} |\n|---|" + "---:|" * len(COMPETITORS)
    for scenario in (*STEADY, *CHANGES, *OVERLOAD):
        if scenario.name in BESIDE:
            cells = []
            for controller, make in COMPETITORS.items():
                runs = results[scenario.name] if controller == "adaptive" else [scenario.run(make, seed=0)[1]]
                unknown = max(f.unknown for f in runs)
                cell = f"{mean(f.share for f in runs):.0f} / {mean(f.refused for f in runs):.1f}"
                cells.append(cell + (f" / u{unknown}" if unknown else ""))
            yield f"| {scenario.name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
