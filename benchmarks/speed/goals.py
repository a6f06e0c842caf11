"""The goals of the client and their check against a run. whys.toml holds handwritten reasons for missed goals."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmarks.speed import race
from benchmarks.speed.contestants import BORROWED, DEFAULT, HTTPX_BACKEND, RAW_NATIVE
from benchmarks.speed.counts import MOST_FUNCTIONS, MOST_SYSCALLS

Results: TypeAlias = dict[str, Any]
WHYS = Path(__file__).with_name("whys.toml")
MANY = 100_000


class Goal(NamedTuple):
    """A bound for one figure."""

    key: str
    wanted: str
    """Description that includes the bound."""
    measure: Callable[[Results], float | None]
    """Returns the figure in the results. None if not measured."""
    unit: str
    least: float | None = None
    most: float | None = None

    def holds(self, figure: float) -> bool:
        """Return True if a figure is within the bound."""
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)

    def verdict(self, figure: float | None) -> str:
        """Return "holds", or the factor by which the goal is missed."""
        if figure is None:
            return "not measured"
        if self.holds(figure):
            return "holds"
        wanted = self.least if self.least is not None else self.most
        assert wanted is not None
        return f"**falls short**: {figure / wanted:.2f} times the bound"


def cpu(results: Results, setting: race.Setting, contestant: str) -> float | None:
    """Return the CPU microseconds of one request."""
    figures: dict[str, float] = results["race"].get(setting.name, {}).get(contestant, {})
    return figures.get("cpu_us")


def times_faster(other: str, *settings: race.Setting, than: str = DEFAULT) -> Callable[[Results], float | None]:
    """Return the other's CPU time divided by this one's. Of several settings, return the worst."""

    def measure(results: Results) -> float | None:
        pairs = [(cpu(results, setting, other), cpu(results, setting, than)) for setting in settings]
        ratios = [theirs / ours for theirs, ours in pairs if theirs and ours]
        return min(ratios) if ratios else None

    return measure


def _overhead(results: Results) -> float | None:
    least = times_faster(RAW_NATIVE, race.ONE, race.BUSY)(results)
    return 1 / least if least else None


def counted(key: str) -> Callable[[Results], float | None]:
    """Return a count of one send on the default backend."""
    return lambda results: _rounded(results["counts"].get(DEFAULT, {}).get(key))


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure)  # the allocator requests memory occasionally


def bulk(key: str) -> Callable[[Results], float | None]:
    """Return a figure of a bulk send of `MANY`."""
    return lambda results: _bulk(results, MANY).get(key)


def _bulk(results: Results, messages: int) -> dict[str, float]:
    rows = (row for row in results["waiting"] if row["way"] == "bulk" and row["messages"] == messages)
    row: dict[str, float] = next(rows, {})
    return row if row.get("sent") == messages else {}


def _flat(results: Results) -> float | None:
    few, most = (_bulk(results, messages).get("per_cpu_second") for messages in (10_000, 1_000_000))
    return most / few if few and most else None


def _import(results: Results) -> float | None:
    return _ms(results, "import callsavvy_async, after asyncio")


def _ready(results: Results) -> float | None:
    ready, httpx = _ms(results, "first client ready"), _ms(results, "import httpx")
    return ready / httpx if ready and httpx else None


def _ms(results: Results, name: str) -> float | None:
    figures: dict[str, float] = results["imports"].get(name, {})
    return figures.get("ms")


def campaign(key: str) -> Callable[[Results], float | None]:
    """Return a getter for a figure of the campaign's benchmark."""
    return lambda results: results["campaign"].get(key)


BUSY_OR_NOT = (race.ONE, race.BUSY)
EVERY = race.FULL
GOALS = (
    Goal("httpx-1", "bare httpx takes ≥ 12 times the CPU, 1 in flight", times_faster("httpx", race.ONE), "times", 12),
    Goal("httpx-64", "… ≥ 30 times, 64 in flight", times_faster("httpx", race.BUSY), "times", 30),
    Goal("aiohttp", "aiohttp ≥ 2.5 times, 1 and 64 in flight", times_faster("aiohttp", *BUSY_OR_NOT), "times", 2.5),
    Goal("telnyx", "telnyx ≥ 30 times, 1 and 64 in flight", times_faster("telnyx", *BUSY_OR_NOT), "times", 30),
    Goal(
        "twilio", "twilio async ≥ 5 times, 1 and 64 in flight", times_faster("twilio async", *BUSY_OR_NOT), "times", 5
    ),
    Goal(
        "raw", "≤ 1.3 times native connections with no SDK above them, 1 and 64 in flight", _overhead, "times", most=1.3
    ),
    Goal(
        "httpx-backend",
        "over stock httpx: never slower than bare httpx",
        times_faster("httpx", *EVERY, than=HTTPX_BACKEND),
        "times",
        1,
    ),
    Goal(
        "httpx-backend-64",
        "… ≥ 3 times faster, 64 in flight",
        times_faster("httpx", race.BUSY, than=HTTPX_BACKEND),
        "times",
        3,
    ),
    Goal(
        "borrowed",
        "over a user's httpx client: never slower than bare httpx",
        times_faster("httpx", *EVERY, than=BORROWED),
        "times",
        1,
    ),
    Goal(
        "borrowed-64", "… ≥ 3 times faster, 64 in flight", times_faster("httpx", race.BUSY, than=BORROWED), "times", 3
    ),
    Goal(
        "functions",
        f"≤ {MOST_FUNCTIONS} function calls for each send, 16 in flight",
        counted("functions"),
        "",
        most=MOST_FUNCTIONS,
    ),
    Goal("functions-alone", "… one at a time", counted("functions_alone"), "", most=MOST_FUNCTIONS),
    Goal("syscalls", "≤ 7 system calls for each send", counted("syscalls"), "", most=MOST_SYSCALLS),
    Goal("rate", "100,000 sends: ≥ 9,000 for each second of a core", bulk("per_cpu_second"), "/s", 9_000),
    Goal("memory", "… memory grows < 40 MB", bulk("growth_mib"), "MiB", most=40 * 1e6 / 2**20),
    Goal("block", "… longest block of the event loop < 100 ms", bulk("longest_block_ms"), "ms", most=100),
    Goal("flat", "… flat in N: rate of 1,000,000 to that of 10,000 ≥ 0.9", _flat, "times", 0.9),
    Goal("campaign-memory", "1,000,000 by a campaign: memory grows < 60 MB", campaign("growth_mib"), "MiB", most=57.2),
    Goal("campaign-journal", "… journal < 150 MB", campaign("journal_mib"), "MiB", most=143),
    Goal("campaign-share", "… the journal < 20 % of the run at 200 requests/s", campaign("share"), "%", most=20),
    Goal(
        "tickets", "10,000 tickets decoded in < 30 ms", lambda results: results["lists"].get("decode_ms"), "ms", most=30
    ),
    Goal("import", "import ≤ 5 ms over `import asyncio`", _import, "ms", most=5),
    Goal("ready", "first client ready ≤ 1.2 times `import httpx`", _ready, "times", most=1.2),
)


def rows(results: Results) -> list[tuple[str, str, str, str]]:
    """Return for every goal: its description, the figure, the verdict, and the reason of a miss."""
    whys: dict[str, str] = tomllib.loads(WHYS.read_text("utf-8"))
    table = []
    for goal in GOALS:
        figure = goal.measure(results)
        shown = "" if figure is None else f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
        short = figure is not None and not goal.holds(figure)
        why = whys.get(goal.key, "not investigated yet") if short or figure is None else ""
        table.append((goal.wanted, f"{shown} {goal.unit}".strip() if shown else "", goal.verdict(figure), why))
    return table
