"""Progress on stderr, in words."""

from __future__ import annotations

import io
import re
import sys
from decimal import Decimal

import attrs
import pytest

from callsavvy_async import FixedRate, Unlimited
from callsavvy_async.bulk.recipient_files import read_stream
from callsavvy_async.bulk.report import BulkReport, StopReason, Sums
from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.cli import progress as module
from callsavvy_async.cli.progress import format_rate, progress, reading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is a line from time to time, and nothing for a short run."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    report = BulkReport(accepted=50, unknown=10, rejected=5, cost=Decimal(50), rate_limited=2, requests=5)
    nothing = Unlimited().snapshot(0)
    with progress(130) as meter:
        meter.show(report, nothing)
        assert capsys.readouterr().err == ""
        now += 10
        report.accepted += 39
        meter.show(report, nothing)
        meter.show(report, nothing)
    assert capsys.readouterr().err == (
        "104/130, 4/s, cost 50, 5 not accepted, 10 unknown, 2 rate-limited, about 7 s left\n"
    )


def test_what_was_settled_before_is_no_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that goes on with another's campaign tells its own speed, and none before it has one."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with progress(1000) as meter:
        now += 11
        meter.show(BulkReport(accepted=900, requests=9), Unlimited().snapshot(0))
        now += 11
        meter.show(BulkReport(accepted=911, requests=10), Unlimited().snapshot(0))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "900/1,000, cost 0, 0 not accepted, 0 unknown, 0 rate-limited"
    assert second == "911/1,000, 1/s, cost 0, 0 not accepted, 0 unknown, 0 rate-limited, about 89 s left"


@pytest.mark.parametrize(("rate", "text"), [(0.254, "0.254"), (97.25, "97.2"), (1000.0, "1,000"), (12345.6, "12,346")])
def test_rates_are_written_as_people_read_them(rate: float, text: str) -> None:
    """Three digits, and whole numbers from a hundred on."""
    assert format_rate(rate) == text


def test_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal there is a bar on stderr, which leaves stdout alone."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    with progress(3) as meter:
        meter.show(BulkReport(accepted=2, unknown=1), FixedRate(12.34).snapshot(0))
    assert "3/3" in terminal.getvalue()
    assert "1 unknown" in terminal.getvalue()
    assert "limit 12.3 requests/s" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("rate", "shut_for", "told"),
    [
        (None, 0.0, "0 rate-limited, about 100 s left"),
        (50.0, 0.0, "0 rate-limited, limit 50 requests/s, about 100 s left"),
        (0.5, 0.4, "0 rate-limited, limit 0.5 requests/s, about 3 min left"),
        (0.5, 42.0, "0 rate-limited, limit 0.5 requests/s, paused for 42 s, about 3 min left"),
    ],
)
def test_what_is_known_of_the_limit(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rate: float | None,
    shut_for: float,
    told: str,
) -> None:
    """It shows the limit and a pause that is worth telling, and expects no more speed than the limit allows."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    limit = attrs.evolve(Unlimited().snapshot(0), learned_rate=rate, shut_for=shut_for)
    with progress(1000) as meter:
        meter.show(BulkReport(), limit)
        now += 11.1
        meter.show(BulkReport(accepted=100, requests=10), limit)
    assert capsys.readouterr().err.strip().endswith(told)


@pytest.mark.parametrize(
    ("report", "why", "waiting", "held"),
    [
        (BulkReport(), "learned rate", 4, "held back by the rate limit"),
        (BulkReport(), "rate-limited, shared", 4, "held back by the rate limit"),
        (BulkReport(), "in flight", 4, "held back by --max-in-flight"),
        (BulkReport(), "in flight, by latency", 4, "held back by latency"),
        (BulkReport(), "in flight, by 429s", 4, "held back by 429s for concurrent requests"),
        (BulkReport(), "outage", 0, "held back by an outage of the API"),
        (BulkReport(), "learned rate", 0, ""),
        (BulkReport(stopped=StopReason.MAX_COST), "learned rate", 4, "stopping: max_cost would be exceeded"),
        (CampaignReport(name="c", paused=True), "learned rate", 0, "paused by a command"),
    ],
)
def test_what_holds_the_run_back(report: Sums, why: str, waiting: int, held: str) -> None:
    """The line names the one reason, and none if no request waits."""
    limit = attrs.evolve(Unlimited().snapshot(0), why=why, waiting=waiting)
    assert module.held_back(report, limit) == held
    assert held in str(module.Facts.of(report, 10, None, limit))


def test_the_speed_forgets_a_cold_start() -> None:
    """A minute after a slow start, the time left follows the present speed."""
    speed, settled = module.Speed(), 0
    for second in range(200):
        speed.update(float(second), settled)
        settled += 1 if second < 100 else 40
    assert speed.latest == pytest.approx(40.0)


@pytest.mark.parametrize("terminal", [True, False])
def test_reading_shows_the_rows_so_far(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    """A terminal is never blank while a long list is read; a file of logs gets nothing."""
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    rows = read_stream(io.BufferedReader(io.BytesIO(b"+2345990000001\n+2345990000002\n")), "[bold]people.txt")
    with reading(rows):
        assert len(list(rows)) == 2
    assert ("reading [bold]people.txt: 2 rows" in screen.getvalue()) is terminal


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("given", [4_812, 1_000_000])
def test_a_narrow_terminal_keeps_bar_total_and_time(monkeypatch: pytest.MonkeyPatch, width: int, given: int) -> None:
    """At any width from 40 on: the count and total, a bar, the time left; then what else fits, whole."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    bar = module._Bar(given)
    limit = attrs.evolve(Unlimited().snapshot(0), learned_rate=9.15)
    bar.show(BulkReport(), limit)
    now += 10.0
    bar.show(BulkReport(accepted=800, requests=40, cost=Decimal(1800), rate_limited=3), limit)
    line = bar.line(width)
    assert len(line) <= width
    count, drawn, *_ = line.split()
    assert count == f"800/{given:,}"
    assert len(drawn) >= 4
    assert set(drawn) <= set("━─")
    assert re.search(r"(\d+ s|\d+ min|\d+ h \d+ min) left", line)
    assert "cost 1,800" in line or width < 80
    assert "limit 9.15 requests/s" in line or width < 120
    assert set(bar.line(width, ascii_only=True).split()[1]) <= set("#-")
