"""How far a bulk send has come, on stderr: a bar on a terminal, else a line from time to time."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.rate_meter import Speed, number_of
from callsavvy_async.cli.stderr import tell
from callsavvy_async.policy.pacer import Snapshot

_SECONDS_BETWEEN_LINES = 10.0
_WORTH_TELLING = 1.0
"""Seconds: shorter pauses are the limiter's daily work."""


class Meter(Protocol):
    """Shows the state of a run."""

    def show(self, report: Sums, limit: Snapshot) -> None:
        """Show how far it is now, and what is known of the limit."""
        ...


@contextmanager
def progress(total: int | None = None) -> Generator[Meter]:
    """Show the progress towards `total` recipients, or towards those of the report, while the block runs."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines(total)
        return
    columns = (
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, total)


class _Bar:
    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar = bar
        self._total = total
        self._task = bar.add_task("", total=total, facts="")
        self._speed = Speed()

    def show(self, report: Sums, limit: Snapshot) -> None:
        total = _total(self._total, report)
        facts = _facts(report, total, self._speed.look(time.monotonic(), _settled(report)), limit)
        self._bar.update(self._task, completed=_settled(report), total=total, facts=facts)


class _Lines:
    def __init__(self, total: int | None) -> None:
        self._total = total
        self._observed = time.monotonic()
        self._speed = Speed()

    def show(self, report: Sums, limit: Snapshot) -> None:
        now = time.monotonic()
        rate = self._speed.look(now, _settled(report))
        if now - self._observed < _SECONDS_BETWEEN_LINES:
            return
        self._observed = now
        total = _total(self._total, report)
        tell(f"{_settled(report):,}/{total:,}, {_facts(report, total, rate, limit)}")


def _total(told: int | None, report: Sums) -> int:
    return report.given - report.skipped.total() if told is None else told


def _settled(report: Sums) -> int:
    return report.accepted + report.failed + report.rejected + report.unknown


def _facts(report: Sums, total: int, rate: float | None, limit: Snapshot) -> str:
    speed = "" if rate is None else f"{rate:,.0f}/s, "
    known = "" if limit.learned_rate is None else f", limit {number_of(limit.learned_rate)} requests/s"
    paused = f", paused for {limit.shut_for:.0f} s" if limit.shut_for >= _WORTH_TELLING else ""
    left = _seconds_left(report, total, rate, limit.learned_rate)
    eta = "" if left is None else f", about {left:,.0f} s left"
    return (
        f"{speed}cost {report.reported_cost}, {report.failed + report.rejected:,} not accepted, {report.unknown:,} unknown,"
        f" {report.rate_limited:,} times 429{known}{paused}{eta}"
    )


def _seconds_left(report: Sums, total: int, rate: float | None, learned_rate: float | None) -> float | None:
    """Go on as so far, but no faster than the limit lets requests through."""
    settled = _settled(report)
    if not rate:
        return None
    requests_left = report.requests * (total - settled) / settled
    return max((total - settled) / rate, requests_left / learned_rate if learned_rate else 0.0)
