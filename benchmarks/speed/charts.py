"""Charts of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.speed import race
from benchmarks.speed.contestants import ALL, DEFAULT, HTTPX_BACKEND, NO_IO, PACED, RAW_NATIVE
from benchmarks.speed.goals import Results

OURS, OTHER_BACKEND, RAW, STACK, PEER = "#c1272d", "#dd7a5f", "#f0b8ba", "#4a6fa5", "#a9b2bc"
LINES = (DEFAULT, RAW_NATIVE, HTTPX_BACKEND, "aiohttp", "pyreqwest", "httpx", "httpx2")
IN_FLIGHT = (1, 16, 64, 256)


def draw(results: Results, folder: Path) -> None:
    """Draw every chart."""
    folder.mkdir(exist_ok=True)
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 130})
    _cpu(results["race"], folder / "cpu.png")
    _in_flight(results["race"], folder / "in-flight.png")
    _slow(results["race"], folder / "slow-server.png")


def _color(name: str, kind: str) -> str:
    if name == RAW_NATIVE:
        return RAW
    if name == DEFAULT:
        return OURS
    return {"ours": OTHER_BACKEND, "stack": STACK}.get(kind, PEER)


def _cpu(figures: dict[str, Any], path: Path) -> None:
    settings = [setting for setting in (race.ONE, race.BUSY) if setting.name in figures]
    figure, columns = plt.subplots(1, len(settings), figsize=(11, 5.4), layout="constrained", squeeze=False)
    for axes, setting in zip(columns[0], settings, strict=True):
        _bars(axes, figures[setting.name])
        axes.set_title(f"{setting.in_flight} in flight", loc="left", fontweight="bold")
        for name in axes.get_yticklabels():
            name.set_fontweight("bold" if name.get_text() == DEFAULT else "normal")
        axes.set_xlabel("CPU µs for one SMS (log scale)")
    figure.suptitle("Cost of one send: median of the rounds, the line is minimum to maximum", x=0.01, ha="left")
    figure.savefig(path)
    plt.close(figure)


def _bars(axes: Axes, runs: dict[str, dict[str, float]]) -> None:
    shown = [(one, runs[one.name]) for one in ALL if runs.get(one.name) and one.name not in {PACED, NO_IO}]
    shown.sort(key=lambda pair: -pair[1]["cpu_us"])
    base = runs.get(DEFAULT, {}).get("cpu_us")
    for place, (contestant, run) in enumerate(shown):
        cost = run["cpu_us"]
        axes.barh(place, cost, color=_color(contestant.name, contestant.kind), height=0.72)
        axes.hlines(place, run["cpu_us_lowest"], run["cpu_us_highest"], color="black", linewidth=1)
        ratio = f"   {cost / base:.1f} times" if base and contestant.name != DEFAULT else ""
        axes.text(max(cost, run["cpu_us_highest"]) * 1.08, place, f"{cost:,.0f}{ratio}", va="center", fontsize=9)
    axes.set_yticks(range(len(shown)), [contestant.name for contestant, _ in shown])
    axes.set_xscale("log")
    axes.set_xlim(20, max(run["cpu_us_highest"] for _, run in shown) * 4)


def _in_flight(figures: dict[str, Any], path: Path) -> None:
    names = [race.Setting(count).name for count in IN_FLIGHT]
    if any(name not in figures for name in names):
        return
    figure, (costs, latencies) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    _lines(costs, figures, names, "cpu_us")
    _lines(latencies, figures, names, "p99_ms")
    costs.set_title("CPU µs per request", loc="left", fontweight="bold")
    latencies.set_title("p99 of the responses, ms", loc="left", fontweight="bold")
    for axes in (costs, latencies):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(IN_FLIGHT, [str(count) for count in IN_FLIGHT])
        axes.set_xlabel("requests in flight")
        axes.grid(alpha=0.25, which="major")
    latencies.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path)
    plt.close(figure)


def _lines(axes: Axes, figures: dict[str, Any], names: list[str], key: str) -> None:
    colors = dict(zip(LINES, (OURS, RAW, OTHER_BACKEND, STACK, "#6b4c9a", "#2f7f6b", "#8ab17d"), strict=True))
    for name in LINES:
        points = [(count, figures[at].get(name, {}).get(key)) for count, at in zip(IN_FLIGHT, names, strict=True)]
        known = [(count, value) for count, value in points if value]
        if known:
            width = 2.6 if name == DEFAULT else 1.5
            axes.plot(
                *zip(*known, strict=True), marker="o", markersize=4, label=name, color=colors[name], linewidth=width
            )


def _slow(figures: dict[str, Any], path: Path) -> None:
    settings = [race.Setting(count, "slow") for count in (64, 256)]
    if any(setting.name not in figures for setting in settings):
        return
    figure, columns = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    for axes, setting in zip(columns, settings, strict=True):
        runs = figures[setting.name]
        shown = sorted(
            ((one, runs[one.name]) for one in ALL if runs.get(one.name)), key=lambda pair: pair[1]["per_second"]
        )
        possible = setting.in_flight / race.SLOW
        for place, (contestant, run) in enumerate(shown):
            axes.barh(place, run["per_second"], color=_color(contestant.name, contestant.kind), height=0.72)
            axes.text(run["per_second"] + possible * 0.01, place, f"{run['per_second']:,.0f}", va="center", fontsize=9)
        axes.axvline(possible, color="black", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(shown)), [contestant.name for contestant, _ in shown])
        axes.set_xlim(0, possible * 1.12)
        axes.set_title(f"{setting.in_flight} in flight: {possible:,.0f}/s possible", loc="left", fontweight="bold")
        axes.set_xlabel("requests per second")
    figure.suptitle("A server that takes 50 ms to respond", x=0.01, ha="left")
    figure.savefig(path)
    plt.close(figure)
