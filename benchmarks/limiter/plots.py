"""Draw rate over time against the hidden limit, and the refusals, one PNG per main shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from benchmarks.limiter.competitors import COMPETITORS
from benchmarks.limiter.scenarios import CHANGES, Scenario, window_of

STEP = 5.0
"""Seconds per point."""


def draw(laws: Sequence[str], out: Path) -> Iterator[Path]:
    """Draw each kind of changing limit under every law, and yield the files written."""
    mpl.use("Agg")
    for scenario in CHANGES:
        if scenario.name in {"bucket 10/s halves", "fixed 600 per 60 s halves", "sliding 600 per 60 s halves"}:
            yield _figure(scenario, laws, out)


def _figure(scenario: Scenario, laws: Sequence[str], out: Path) -> Path:
    figure, axes = plt.subplots(len(laws), 1, figsize=(11, 1.9 * len(laws)), sharex=True, squeeze=False)
    for axis, law in zip(axes[:, 0], laws, strict=True):
        run, figures = scenario.run(COMPETITORS[law], seed=1)
        server = scenario.server(1)
        times = [STEP * (i + 1) for i in range(int(run.ended / STEP))]
        share = scenario.share_at(server, 1)
        smooth = max(STEP, window_of(server) / 4.0)
        axis.step(times, [server.rate * share(t - STEP) for t in times], color="black", lw=1, label="hidden limit")
        axis.plot(times, [run.accepted_between(t - smooth, t) / smooth for t in times], lw=1.2, label="accepted/s")
        axis.bar(times, [run.refused_between(t - STEP, t) / STEP for t in times], STEP, color="tab:red", label="429/s")
        axis.set_ylim(0, 3.0 * server.rate)
        axis.set_title(
            f"{law}: {figures.share:.0f} % of the limit, {figures.refused:.1f} % refused", fontsize=9, loc="left"
        )
    axes[0, 0].legend(fontsize=8, ncols=3, loc="upper right")
    axes[-1, 0].set_xlabel("seconds")
    figure.suptitle(scenario.name)
    figure.tight_layout()
    path = out / f"{scenario.name.replace(' ', '-').replace('/', '-per-')}.png"
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path
