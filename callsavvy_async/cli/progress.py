"""Progress of a bulk send on stderr: a bar on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import attrs
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from callsavvy_async.bulk.recipient_files import FileRows
from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.stderr import tell
from callsavvy_async.policy.pacer import PacerSnapshot

_SECONDS_BETWEEN_LINES = 10.0
_SHOWN_PAUSE = 1.0
"""Seconds of the shortest pause to show. The rate limiter makes shorter ones all the time."""
_WHOLE = 100.0
"""Rate from which on it is shown without decimals."""


@attrs.define
class Speed:
    """Recipients per second since the first update. Outcomes from before do not count."""

    _first: tuple[float, int] | None = attrs.field(default=None, init=False)

    def update(self, now: float, settled: int) -> float | None:
        """Return the speed in recipients per second; None at the first update.

        Args:
            now: Monotonic seconds.
            settled: Number of recipients with a final outcome.
        """
        if self._first is None:
            self._first = now, settled
        began, before = self._first
        return (settled - before) / (now - began) if now > began else None


def format_rate(rate: float) -> str:
    """Format a rate with three digits: 0.25, 97.2, 1,000."""
    return f"{rate:,.0f}" if rate >= _WHOLE else f"{rate:.3g}"


class Meter(Protocol):
    """Shows the progress of a send."""

    def show(self, report: Sums, limit: PacerSnapshot) -> None:
        """Show the sums and the rate limit."""
        ...


@contextmanager
def progress(total: int | None = None) -> Generator[Meter]:
    """Show the progress towards `total` recipients (default: those of the report) while the block runs."""
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


@contextmanager
def reading(rows: FileRows) -> Generator[None]:
    """Show on a terminal how many rows of a list were read while the block runs."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield
        return
    with Live(_RowCount(rows), console=console, transient=True):
        yield


@attrs.frozen
class _RowCount:
    """The number of rows read so far, drawn anew at each refresh."""

    rows: FileRows

    def __rich__(self) -> str:
        return f"reading {escape(self.rows.name)}: {self.rows.count:,} rows"


class _Bar:
    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar = bar
        self._total = total
        self._task = bar.add_task("", total=total, facts="")
        self._speed = Speed()

    def show(self, report: Sums, limit: PacerSnapshot) -> None:
        total = _total(self._total, report)
        facts = _facts(report, total, self._speed.update(time.monotonic(), _settled(report)), limit)
        self._bar.update(self._task, completed=_settled(report), total=total, facts=facts)


class _Lines:
    def __init__(self, total: int | None) -> None:
        self._total = total
        self._printed = time.monotonic()
        self._speed = Speed()

    def show(self, report: Sums, limit: PacerSnapshot) -> None:
        now = time.monotonic()
        rate = self._speed.update(now, _settled(report))
        if now - self._printed < _SECONDS_BETWEEN_LINES:
            return
        self._printed = now
        total = _total(self._total, report)
        tell(f"{_settled(report):,}/{total:,}, {_facts(report, total, rate, limit)}")


def _total(total: int | None, report: Sums) -> int:
    return report.given - report.skipped.total() if total is None else total


def _settled(report: Sums) -> int:
    return report.accepted + report.failed + report.rejected + report.unknown


def _facts(report: Sums, total: int, rate: float | None, limit: PacerSnapshot) -> str:
    speed = "" if rate is None else f"{rate:,.0f}/s, "
    known = "" if limit.learned_rate is None else f", limit {format_rate(limit.learned_rate)} requests/s"
    paused = f", paused for {limit.shut_for:.0f} s" if limit.shut_for >= _SHOWN_PAUSE else ""
    left = _seconds_left(report, total, rate, limit.learned_rate)
    eta = "" if left is None else f", about {left:,.0f} s left"
    return (
        f"{speed}cost {report.reported_cost}, {report.failed + report.rejected:,} not accepted, {report.unknown:,} unknown,"
        f" {report.rate_limited:,} rate-limited{known}{paused}{eta}"
    )


def _seconds_left(report: Sums, total: int, rate: float | None, learned_rate: float | None) -> float | None:
    """Estimate the rest at the speed so far, but at most at the rate limit."""
    settled = _settled(report)
    if not rate:
        return None
    requests_left = report.requests * (total - settled) / settled
    return max((total - settled) / rate, requests_left / learned_rate if learned_rate else 0.0)
