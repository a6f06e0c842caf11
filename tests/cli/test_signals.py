"""Ctrl-C and SIGTERM, sent to a real program that sends to the simulator."""

from __future__ import annotations

import csv
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator, SimulatorServer, serve
from tests.profiles import mostly_long

from .harness import environment, start

pytestmark = pytest.mark.sockets

PEOPLE = 40


class Slow:
    """A simulator that takes its time to answer, and says when two requests wait for it."""

    def __init__(self, seconds: float) -> None:
        self.two_on_the_wire = threading.Event()
        self._seconds = seconds
        self._calls = 0
        self.simulator = Simulator(sms_balance=PEOPLE, latency=self._latency)

    def _latency(self, _: object) -> float:
        if not self.simulator.ledger.posts("sendSMS"):  # the balance is read first
            return 0.0
        self._calls += 1
        if self._calls == 2:
            self.two_on_the_wire.set()
        return self._seconds


@pytest.fixture
def list_of_people(tmp_path: Path) -> Path:
    path = tmp_path / "people.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(PEOPLE)))
    return path


def _start(server: SimulatorServer, people: Path, report: Path) -> subprocess.Popen[str]:
    return start(
        *("bulk", "sms", people, "--message", "Hello", "--yes", "--report", report),
        *("--chunk-size", 1, "--max-in-flight", 2),
        **environment(server),
    )


def _outcomes(report: Path) -> Counter[str]:
    with report.open(newline="") as file:
        return Counter(row["outcome"] for row in csv.DictReader(file))


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "report.csv"


@pytest.mark.parametrize("number", mostly_long([signal.SIGINT, signal.SIGTERM]))
def test_first_signal_drains(list_of_people: Path, report: Path, number: signal.Signals) -> None:
    """The first signal waits for what is on the wire, leaves the rest pending, and there is a report."""
    slow = Slow(0.5)
    with serve(slow.simulator) as server, _start(server, list_of_people, report) as program:
        assert slow.two_on_the_wire.wait(60)
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
    assert program.returncode == 130
    charged = slow.simulator.ledger.totals.charged_recipients
    assert _outcomes(report) == {"accepted": charged, "pending": PEOPLE - charged}
    assert 2 <= charged < PEOPLE
    assert "stopping" in err
    assert "Traceback" not in err
    assert f"{charged} accepted" in out


@pytest.mark.long
def test_second_signal_abandons(list_of_people: Path, report: Path) -> None:
    """The second signal does not wait: what is on the wire is unknown, and there is a report."""
    slow = Slow(60)
    with serve(slow.simulator) as server, _start(server, list_of_people, report) as program:
        assert slow.two_on_the_wire.wait(60)
        program.send_signal(signal.SIGINT)
        assert program.stderr is not None
        assert any("stopping" in line for line in program.stderr)  # the plan stands before it
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert _outcomes(report) == {"unknown": 2, "pending": PEOPLE - 2}
    assert slow.simulator.ledger.totals.charged_recipients == 2
    assert "not waiting" in err
    assert "2 unknown" in out
