"""Draw the accepted requests over time against the hidden limit, and the 429s: one PNG for each main server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.limiter.competitors import COMPETITORS
from testbed.limiter.scenarios import CHANGES, Scenario, window_of

STEP = 5.0
"""Seconds per point."""
SHAPES = {"bucket": "bucket 10/s", "fixed": "fixed 600 per 60 s", "sliding": "sliding 600 per 60 s"}
PANELS = (
    ("halves", "adaptive"),
    ("doubles", "adaptive"),
    ("halves", "AIMD on rate"),
    ("halves", "botocore CUBIC"),
    ("halves", "tenacity backoff"),
)


def draw(out: Path) -> Iterator[Path]:
    """Draw each server, and yield the written files."""
    mpl.use("Agg")
    scenarios = {scenario.name: scenario for scenario in CHANGES}
    for short, shape in SHAPES.items():
        figure, axes = plt.subplots(len(PANELS), 1, figsize=(10, 11), sharex=True, layout="constrained")
        for axis, (change, controller) in zip(axes, PANELS, strict=True):
            _panel(axis, scenarios[f"{shape} {change}"], controller)
        axes[0].legend(fontsize=8, ncols=3, loc="upper right")
        axes[-1].set_xlabel("seconds")
        figure.suptitle(f"{shape}: accepted per second against the hidden limit (one seed)")
        path = out / f"{short}.png"
        figure.savefig(path, dpi=80)
        plt.close(figure)
        yield path


def _panel(axis: Axes, scenario: Scenario, controller: str) -> None:
    run, figures = scenario.run(COMPETITORS[controller], seed=1)
    server, share = scenario.server(1), scenario.share_at(scenario.server(1), 1)
    times = [STEP * (i + 1) for i in range(int(run.ended / STEP))]
    smooth = max(STEP, window_of(server) / 4.0)
    accepted = [run.accepted_between(t - smooth, t) / smooth for t in times]
    refused = [(t, n) for t in times if (n := run.refused_between(t - STEP, t))]
    axis.step(times, [server.rate * share(t - STEP) for t in times], color="black", lw=1.2, label="hidden limit")
    axis.plot(times, accepted, lw=1.4, color="tab:blue", label=f"accepted/s (mean of {smooth:.0f} s)")
    axis.scatter(
        [t for t, _ in refused],
        [0.0] * len(refused),
        [8.0 + 3.0 * n for _, n in refused],
        color="tab:red",
        alpha=0.5,
        clip_on=False,
        zorder=3,
        label="429s (area: number)",
    )
    axis.set_ylim(0, 1.7 * server.rate * max(1.0, scenario.change))
    axis.set_xlim(0, run.ended)
    limit = scenario.name.rsplit(" ", 1)[1]
    title = f"{controller}, the limit {limit}: {figures.share:.0f} % of it, {figures.refused:.1f} % of 429s"
    axis.set_title(title, fontsize=9, loc="left")
    axis.grid(visible=True, alpha=0.3)
