"""The race: every contestant in every setting, in turn, several rounds. The median of the rounds counts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from benchmarks.speed import child
from benchmarks.speed.contestants import ALL, DEFAULT, NO_IO, PACED, RAW_NATIVE, Contestant
from benchmarks.speed.runner import Task
from benchmarks.speed.servers import Servers

Figures: TypeAlias = dict[str, dict[str, dict[str, float]]]
"""Results by setting and contestant."""

SLOW = 0.05
"""Seconds until the slow server responds."""
TAKEN = ("cpu_us", "per_second", "p50_ms", "p99_ms")


class Setting(NamedTuple):
    """The conditions of a measurement."""

    in_flight: int
    server: str = "plain"
    collector: bool = True

    @property
    def name(self) -> str:
        """Name in tables and charts."""
        server = {"plain": "", "tls": ", TLS", "slow": ", 50 ms"}[self.server]
        return f"{self.in_flight} in flight{server}{'' if self.collector else ', no GC'}"

    def admits(self, contestant: Contestant) -> bool:
        """Return True if the contestant takes part in this setting."""
        if self.in_flight > contestant.most or (contestant.only_tls and self.server != "tls"):
            return False
        if contestant.name in {PACED, NO_IO}:
            return self == ONE
        if not self.collector:
            return contestant.name in {DEFAULT, RAW_NATIVE, "aiohttp", "httpx"}
        return contestant.kind != "peer" or (self.in_flight in {1, 64} and self.server != "slow")


ONE, BUSY = Setting(1), Setting(64)
ONE_TLS, BUSY_TLS = Setting(1, "tls"), Setting(64, "tls")
BUSY_SLOW = Setting(64, "slow")
FULL = (
    ONE,
    Setting(16),
    BUSY,
    Setting(256),
    ONE_TLS,
    BUSY_TLS,
    BUSY_SLOW,
    Setting(256, "slow"),
    Setting(64, collector=False),
)
SHORT = (ONE, BUSY)


def race(servers: Servers, settings: Iterable[Setting], *, rounds: int, seconds: float) -> Figures:
    """Run the race."""
    runs: dict[tuple[Setting, Contestant], list[dict[str, Any]]] = {}
    entries = [(setting, contestant) for setting in settings for contestant in ALL if setting.admits(contestant)]
    for number in range(rounds):
        print(f"race: round {number + 1} of {rounds}, {len(entries)} runs", flush=True)
        for setting, contestant in entries if number % 2 == 0 else reversed(entries):
            run = child.run(
                Task(
                    contestant.name,
                    getattr(servers, setting.server),
                    str(servers.certificates),
                    in_flight=setting.in_flight,
                    seconds=seconds,
                    collector=setting.collector,
                )
            )
            runs.setdefault((setting, contestant), []).append(run or {"calls": 0})
    figures: Figures = {}
    for (setting, contestant), measured in runs.items():
        figures.setdefault(setting.name, {})[contestant.name] = summarise(measured)
    return figures


def summarise(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the medians of the rounds and the range of their CPU times. Empty if all requests failed."""
    answered = [run for run in runs if run["calls"]]
    if not answered:
        return {}
    summary = {key: round(statistics.median(run[key] for run in answered), 2) for key in TAKEN}
    costs = [run["cpu_us"] for run in answered]
    return {**summary, "cpu_us_lowest": round(min(costs), 2), "cpu_us_highest": round(max(costs), 2)}
