"""The embedded simulator: as a server of its own, and behind ``bulk --simulator``."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.bulk.report import BulkReport, ChunkResult, ChunkState
from callsavvy_async.cli import interrupts
from callsavvy_async.cli.ledger import compare, outcomes_of
from callsavvy_async.simulator import Ledger, LedgerEntry, Simulator

from .harness import EXAMPLES, Run, run_program, start

ADA, BOLA = "+2345990000001", "+2345990000002"


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_the_main_job(channel: str, tmp_path: Path) -> None:
    """The examples' 5,200 rows go out once each, and the report's counts are those of the ledger."""
    report = tmp_path / "report.csv"
    result = run_program(
        *("bulk", channel, EXAMPLES / "recipients.csv", "--template", "Hi {first_name}"),
        *("--simulator", "-o", "json", "--report", report),
    )
    assert result.code == 0, result.err
    told = result.json
    assert told["accepted"] == 4_812
    assert told["skipped"] == {"duplicate": 250, "invalid": 138}
    assert told["ledger"] == {"charged_once": 4_812, "charged_more_than_once": 0, "agrees": True}
    assert len(report.read_text().splitlines()) == 5_201


@pytest.mark.long
@pytest.mark.sockets
def test_through_a_pipe(people: Path) -> None:
    """The list may come on standard input of a real program."""
    result = run_program("bulk", "sms", "-", "--message", "Hello", "--simulator", stdin=people.read_bytes())
    assert result.code == 0, result.err
    assert "ledger: 3 recipients charged once, 0 more than once; report: 3 accepted" in result.out


@pytest.mark.long
@pytest.mark.sockets
def test_server() -> None:
    """The server tells its address and keys, answers, and ends in order with Ctrl-C."""
    with start("simulator", "--sms-balance", "7", "--rate", "100/s", "--burst", "100") as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(5)]
        variables = dict(word.split("=", 1) for word in lines[-1].removeprefix("export ").split())
        balance = run_program("balance", "-o", "json", **variables)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert balance.json["sms_balance"] == 7
    assert program.returncode == 0
    assert "0 sends" in err


def test_difference_is_a_failure(run: Run, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that does not agree with the ledger is never exit code 0."""
    monkeypatch.setattr(Ledger, "charged", property(lambda _: {}))
    result = run("bulk", "sms", people, "--message", "Hello", "--simulator")
    assert result.code == 1
    assert "THEY DIFFER" in result.out


# ----------------------------------------------------------------------------------------------------- the comparison


def _ledger(*numbers: str) -> Ledger:
    ledger, world = Ledger(), Simulator().world
    for number in numbers:
        ledger.record(
            LedgerEntry(
                at=world.now(),
                resource="sendSMS",
                recipient=number,
                status=200,
                reason="charged",
                charged=True,
                cost=world.balances.sms,
                message_id="",
                fault="",
            )
        )
    return ledger


def _report(**outcomes: ChunkState) -> BulkReport:
    report = BulkReport()
    for number, state in outcomes.items():
        report.settle(ChunkResult(Chunk(1, "Hello", (Recipient({"ada": ADA, "bola": BOLA}[number]),)), state))
    return report


@pytest.mark.parametrize(
    ("report", "charged", "agrees"),
    [
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.ACCEPTED), (ADA, BOLA), True),
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.ACCEPTED), (ADA,), False),
        (_report(ada=ChunkState.ACCEPTED), (ADA, ADA), False),
        (_report(ada=ChunkState.ACCEPTED), (ADA, BOLA), False),
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.UNKNOWN), (ADA, BOLA), True),
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.UNKNOWN), (ADA,), True),
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.REJECTED), (ADA, BOLA), False),
        (_report(ada=ChunkState.ACCEPTED, bola=ChunkState.PENDING), (ADA, BOLA), False),
        (_report(), (), True),
    ],
)
def test_comparison(report: BulkReport, charged: tuple[str, ...], agrees: bool) -> None:
    """All accepted are charged, once, and nobody else is but those of whom nothing is known."""
    assert compare(report.rows(), _ledger(*charged), accepted=report.accepted).agrees is agrees


def test_comparison_of_a_continued_run() -> None:
    """Whom an earlier process had sent to is not looked for in the ledger of this one."""
    report = _report(ada=ChunkState.ACCEPTED, bola=ChunkState.ACCEPTED)
    before = outcomes_of(_report(ada=ChunkState.ACCEPTED).rows())
    assert compare(report.rows(), _ledger(BOLA), accepted=1, before=before).agrees
    assert not compare(report.rows(), _ledger(ADA, BOLA), accepted=1, before=before).agrees
    assert not compare(report.rows(), _ledger(BOLA), accepted=2, before=before).agrees


def test_no_wait_is_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a signal's handler runs only once the main thread's wait is over, so each wait has an end."""
    waits: list[float | None] = []

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if len(waits) > 1:
                signal.raise_signal(signal.SIGINT)
            return self.is_set()

    monkeypatch.setattr(interrupts.threading, "Event", Waiting)
    with interrupts.until_interrupted() as wait:
        wait()
    assert len(waits) == 2
    assert None not in waits
