"""Progress of a bulk send on stderr: a bar on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

import attrs
from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from callsavvy_async.bulk.recipient_files import FileRows
from callsavvy_async.bulk.report import Sums
from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.cli.question import format_duration
from callsavvy_async.cli.stderr import tell
from callsavvy_async.policy.pacer import BY_429S, BY_LATENCY, FULL, OUTAGE, PacerSnapshot
from callsavvy_async.wording import quantity

_SECONDS_BETWEEN_LINES = 10.0
_SHOWN_PAUSE = 1.0
"""Seconds of the shortest pause to show. The rate limiter makes shorter ones all the time."""
_SHORTEST_BAR, _LONGEST_BAR = 4, 40
_WHOLE = 100.0
"""Rate from which on it is shown without decimals."""


_RECENT = 60.0
"""Seconds over which the speed is measured: a cold start is soon forgotten, and a window of a minute averages out."""


@attrs.define
class Speed:
    """Recipients per second over the last minute. Outcomes from before the first update do not count."""

    latest: float | None = attrs.field(default=None, init=False)
    """Speed at the last update."""
    _samples: deque[tuple[float, int]] = attrs.field(factory=deque[tuple[float, int]], init=False)

    def update(self, now: float, settled: int) -> float | None:
        """Return the speed in recipients per second; None at the first update.

        Args:
            now: Monotonic seconds.
            settled: Number of recipients with a final outcome.
        """
        if not self._samples or now - self._samples[-1][0] >= 1.0:
            self._samples.append((now, settled))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _RECENT:
            self._samples.popleft()
        began, before = self._samples[0]
        self.latest = (settled - before) / (now - began) if now > began else None
        return self.latest


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
    bar = _Bar(total)
    with Live(bar, console=console, transient=True):
        yield bar


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
        return f"reading {escape(self.rows.name)}: {quantity(self.rows.count, 'row')}"


class _Bar:
    """One line for a terminal of any width: the count, a bar, the time left, and as many facts as fit."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._speed = Speed()
        self._shown: tuple[Sums, PacerSnapshot] | None = None

    def show(self, report: Sums, limit: PacerSnapshot) -> None:
        self._speed.update(time.monotonic(), _settled(report))
        self._shown = report, limit

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text(self.line(options.max_width, ascii_only=options.ascii_only), no_wrap=True)

    def line(self, width: int, *, ascii_only: bool = False) -> str:
        """Draw the line."""
        if self._shown is None:
            return ""
        report, limit = self._shown
        facts = Facts.of(report, _total(self._total, report), self._speed.latest, limit)
        behind = facts.left
        free = width - len(facts.count) - _SHORTEST_BAR - 2
        for fact in facts.by_weight:
            longer = f"{behind}, {fact}" if behind else fact
            if len(longer) <= free:
                behind = longer
        bar = min(max(width - len(facts.count) - len(behind) - 2, 0), _LONGEST_BAR)
        return f"{facts.count} {draw_bar(facts.share, bar, ascii_only=ascii_only)} {behind}"[:width]


def draw_bar(share: float, length: int, *, ascii_only: bool) -> str:
    """Draw a bar of so many characters."""
    done, todo = ("#", "-") if ascii_only else ("━", "─")
    filled = round(length * min(share, 1.0))
    return done * filled + todo * (length - filled)


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
        tell(str(Facts.of(report, total, rate, limit)))


def _total(total: int | None, report: Sums) -> int:
    return report.given - report.skipped.total() if total is None else total


def _settled(report: Sums) -> int:
    return report.accepted + report.failed + report.rejected + report.unknown


@attrs.frozen
class Facts:
    """What is shown of a send, in words."""

    count: str
    share: float
    """Settled part of the total."""
    left: str
    """Time left; blank if unknown."""
    speed: str
    paused: str
    sums: tuple[str, ...]
    limit: str
    held: str
    """What holds the run back; blank if nothing is known to."""

    @classmethod
    def of(cls, report: Sums, total: int, rate: float | None, limit: PacerSnapshot) -> Facts:
        """Describe the sums, the speed and the rate limit."""
        settled, learned = _settled(report), limit.learned_rate
        seconds = _seconds_left(report, total, rate, learned)
        return cls(
            count=f"{settled:,}/{total:,}",
            share=settled / total if total else 0.0,
            left="" if seconds is None else f"{format_duration(seconds)} left",
            speed="" if rate is None else f"{rate:,.0f}/s",
            paused=f"paused for {limit.shut_for:.0f} s" if limit.shut_for >= _SHOWN_PAUSE else "",
            sums=(
                f"cost {report.reported_cost}",
                f"{report.failed + report.rejected:,} not accepted",
                f"{report.unknown:,} unknown",
                f"{report.rate_limited:,} rate-limited",
            ),
            limit="" if learned is None else f"limit {format_rate(learned)} requests/s",
            held=held_back(report, limit),
        )

    @property
    def by_weight(self) -> Iterator[str]:
        """Yield the facts beside the count and the time left, the most important first."""
        cost, not_accepted, unknown, rate_limited = self.sums
        yield from filter(
            None, (self.paused, self.speed, cost, unknown, not_accepted, self.limit, self.held, rate_limited)
        )

    def __str__(self) -> str:
        return ", ".join(
            filter(
                None,
                (
                    *(self.count, self.speed, *self.sums, self.limit, self.held, self.paused),
                    self.left and f"about {self.left}",
                ),
            )
        )


def held_back(report: Sums, limit: PacerSnapshot) -> str:
    """Return what holds the run back, in words; blank if no request waits."""
    if report.stopped is not None:
        return f"stopping: {report.stopped.value}"
    if isinstance(report, CampaignReport) and report.paused:
        return "paused by a command"
    if limit.why == OUTAGE:
        return "held back by an outage of the API"
    if not limit.waiting:
        return ""
    words = (what for why, what in _HOLDERS if limit.why.startswith(why))
    return f"held back by {next(words, 'the rate limit')}"


_HOLDERS = ((BY_LATENCY, "latency"), (BY_429S, "429s for concurrent requests"), (FULL, "--max-in-flight"))


def _seconds_left(report: Sums, total: int, rate: float | None, learned_rate: float | None) -> float | None:
    """Estimate the rest at the speed so far, but at most at the rate limit."""
    settled = _settled(report)
    if not rate:
        return None
    requests_left = report.requests * (total - settled) / settled
    return max((total - settled) / rate, requests_left / learned_rate if learned_rate else 0.0)
