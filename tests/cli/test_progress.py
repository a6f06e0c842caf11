"""Progress on stderr, in words."""

from __future__ import annotations

import io
import sys
from decimal import Decimal

import pytest

from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.cli import progress as module
from callsavvy_async.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is a line from time to time, and nothing for a short run."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    report = BulkReport(accepted=50, unknown=10, rejected=5, cost=Decimal(50), refusals=2)
    with progress(130) as meter:
        meter.show(report)
        assert capsys.readouterr().err == ""
        now += 10
        meter.show(report)
        meter.show(report)
    assert capsys.readouterr().err == (
        "65/130, 6/s, cost 50, 5 not accepted, 10 unknown, 2 times 429, about 10 s left\n"
    )


def test_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal there is a bar on stderr, which leaves stdout alone."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    with progress(3) as meter:
        meter.show(BulkReport(accepted=2, unknown=1))
    assert "3/3" in terminal.getvalue()
    assert "1 unknown" in terminal.getvalue()
    assert capsys.readouterr().out == ""
