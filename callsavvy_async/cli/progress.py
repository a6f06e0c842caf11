"""How far a bulk send has come, on stderr: a bar on a terminal, else a line from time to time."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.stderr import tell

_SECONDS_BETWEEN_LINES = 10.0


class Meter(Protocol):
    """Shows the state of a run."""

    def show(self, report: Sums, learned_rate: float | None) -> None:
        """Show how far it is now, and the limit in calls per second that was learned, if any."""
        ...


@contextmanager
def progress(total: int) -> Generator[Meter]:
    """Show the progress towards `total` recipients while the block runs."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines(total)
        return
    columns = (
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, total)


class _Bar:
    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, facts="")
        self._began = time.monotonic()

    def show(self, report: Sums, learned_rate: float | None) -> None:
        facts = _facts(report, time.monotonic() - self._began, learned_rate)
        self._bar.update(self._task, completed=_settled(report), facts=facts)


class _Lines:
    def __init__(self, total: int) -> None:
        self._total = total
        self._began = self._told = time.monotonic()

    def show(self, report: Sums, learned_rate: float | None) -> None:
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = now
        seconds, settled = now - self._began, _settled(report)
        left = seconds * (self._total - settled) / settled if settled else 0.0
        tell(f"{settled:,}/{self._total:,}, {_facts(report, seconds, learned_rate)}, about {left:,.0f} s left")


def _settled(report: Sums) -> int:
    return report.accepted + report.failed + report.rejected + report.unknown


def _facts(report: Sums, seconds: float, learned_rate: float | None) -> str:
    rate = _settled(report) / seconds if seconds else 0.0
    limit = "" if learned_rate is None else f", limit {learned_rate:.3g} calls/s"
    not_accepted = report.failed + report.rejected
    return (
        f"{rate:,.0f}/s, cost {report.cost}, {not_accepted:,} not accepted, {report.unknown:,} unknown,"
        f" {report.refusals:,} times 429{limit}"
    )
