"""The record of ``callsavvy bulk``: kept by default, and enough to continue after any stop."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import stat
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from callsavvy_async.bulk.report import ChunkResult, StopReason
from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.cli import record as record_module
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.record import Record, recording
from callsavvy_async.simulator import Fault, Simulator
from tests.profiles import mostly_long

from .harness import Result, Run

HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1, "--max-in-flight", 1)
JOURNAL = Path("state/callsavvy-async/campaigns.db")
UNNAMED = r"people-\d{4}-\d\d-\d\d-\d{4}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def paste(run: Run, said: str) -> Result:
    """Run the commands that the end of a send names, as a shell would."""
    (line,) = (line for line in said.splitlines() if "not sent yet. Continue with: " in line)
    result = Result(0, "", "")
    for command in line.partition("Continue with: ")[2].split(" && "):
        result = run(*shlex.split(command)[1:], *(("--yes",) if " resume " in command else ()))
    return result


def test_a_send_is_recorded(run: Run, account: Simulator, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --campaign the record is named after the list and the minute, and only its owner may read it."""
    minute = record_module._minute()
    monkeypatch.setattr(record_module, "_minute", lambda: minute)  # both sends are in one
    for again in ("", "-2"):
        plan = run("bulk", "sms", people, *HELLO)
        assert plan.code == 0
        _, second, third = plan.err.splitlines()[:3]
        name = re.fullmatch(rf"Campaign: ({UNNAMED}{again}), recorded in {JOURNAL.absolute()}", second)
        assert name is not None
        assert third == f"After an interruption, continue with: callsavvy campaigns resume {name[1]} --max-in-flight 1"
    assert set(account.ledger.charged.values()) == {2}
    first = run("campaigns", "list", "-o", "json").json[0]
    assert re.fullmatch(UNNAMED, first["name"])
    assert (first["given"], first["accepted"]) == (5, 3)
    assert stat.S_IMODE(JOURNAL.stat().st_mode) == 0o600
    assert stat.S_IMODE(JOURNAL.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("option", ["--no-journal", "--simulator"])
def test_no_record_leaves_no_trace(run: Run, account: Simulator, people: Path, option: str) -> None:
    """A declined journal and a rehearsal leave nothing behind, neither in the state folder nor elsewhere."""
    before = set(Path().iterdir())
    result = run("bulk", "sms", people, *HELLO, option)
    assert result.code == 0
    assert (
        "Campaign: not recorded; after an interruption, no record shows which recipients got the message" in result.err
    )
    assert not [path for path in Path("state").rglob("*") if path.is_file()]
    assert set(Path().iterdir()) <= {*before, Path("state")}


@pytest.mark.parametrize(
    "stop", mostly_long(["max_cost", "refused", "deadline", "balance", "crash", "signal"], quick=2)
)
def test_every_early_stop_names_the_command_that_continues(
    run: Run, account: Simulator, people: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """The command of the message works when it is pasted, and nobody gets the message twice."""
    settle = CampaignReport.settle

    def settle_and_stop(report: CampaignReport, result: ChunkResult) -> None:
        settle(report, result)
        if stop == "crash":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if stop == "signal":
            signal.raise_signal(signal.SIGINT)
        if stop == "deadline":
            time.sleep(1.0)

    options = {"max_cost": ("--max-cost", 1), "deadline": ("--deadline", 0.9)}.get(stop, ())
    balances = account.world.balances
    if stop == "balance":
        account.world.balances = balances.less(sms=Decimal(99_999))
    if stop == "refused":
        account.faults.next("sendSMS", Fault.with_status(401))
    with monkeypatch.context() as patch:
        patch.setattr(CampaignReport, "settle", settle_and_stop)
        stopped = run("bulk", "sms", people, *HELLO, *options)
    codes = {"deadline": 1, "max_cost": 4, "balance": 4, "refused": 5, "crash": 1, "signal": 130}
    assert stopped.code == codes[stop]
    assert account.ledger.totals.charged_recipients < 3
    account.world.balances = balances
    rest = paste(run, stopped.err)
    assert f"{2 if stop in {'balance', 'refused'} else 3} accepted" in rest.out  # a rejection is final
    assert set(account.ledger.charged.values()) == {1}


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C work also where the tests run in the background of a shell, which ignores it there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_a_list_that_was_not_loaded_is_sent_again(
    run: Run, account: Simulator, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the list is loaded: nothing was sent, and the same command does it all."""

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("callsavvy_async.campaigns.load._LoadTally.skip", interrupted)
        stopped = run("bulk", "sms", people, *HELLO)
    assert stopped.code == 130
    assert "not completely loaded, so nothing was sent from it. Run the same command again" in stopped.err
    assert not account.ledger.charged
    assert run("bulk", "sms", people, *HELLO).code == 0
    assert set(account.ledger.charged.values()) == {1}


@pytest.mark.long
def test_without_a_journal_the_report_is_the_list_of_the_rest(run: Run, account: Simulator, people: Path) -> None:
    """What is left of a send without a journal goes out from its report; without a report it is only counted."""
    bare = run("bulk", "sms", people, *HELLO, "--max-cost", 1, "--simulator")
    assert "callsavvy: 2 not sent yet.\n" in bare.err
    stopped = run("bulk", "sms", people, *HELLO, "--max-cost", 1, "--no-journal", "--report", "report.csv")
    assert "2 not sent yet. Continue with the list report.csv and --only pending\n" in stopped.err
    assert run("bulk", "sms", "report.csv", *HELLO).code == 2
    rest = run("bulk", "sms", "report.csv", *HELLO, "--only", "pending, rejected")
    assert rest.code == 0
    assert "(CSV, only pending and rejected), 2 rows" in rest.err
    assert set(account.ledger.charged.values()) == {1}
    assert account.ledger.totals.charged_recipients == 3


@pytest.mark.parametrize(
    ("journal", "option"),
    [
        ("", ""),
        ("my journal.db", " --journal '{folder}/my journal.db'"),
        ("postgresql://ada:secret@db/x?sslmode=require", " --journal postgresql://db/x"),
        ("postgresql://db/x", " --journal postgresql://db/x"),
        ("from the environment.db", ""),
    ],
)
def test_a_command_to_paste(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str, option: str) -> None:
    """It names the journal and the limits of the send, quoted, without a password."""
    monkeypatch.setenv("CALLSAVVY_JOURNAL", "from the environment.db")
    record = Record(
        journal=journal, name="spring sale", pace=Pace(rate="5/s", pacing="redis://secret", max_cost=Decimal(1))
    )
    where = option.format(folder=tmp_path)
    resume = f"callsavvy campaigns resume 'spring sale' --rate 5/s{where}"
    assert record.resuming() == resume
    assert record.resuming(stopped=True) == f"callsavvy campaigns continue 'spring sale'{where} && {resume}"


@pytest.mark.parametrize(
    "held", [{"stopped": StopReason.COMMAND}, {"stopped": StopReason.DEADLINE, "paused": True}], ids=["stop", "pause"]
)
def test_after_campaigns_stop_the_campaign_is_continued_first(capsys: pytest.CaptureFixture[str], held: Any) -> None:
    """A stop holds until campaigns continue, so the command to paste begins with it. So does a pause that outlives its run."""
    report = CampaignReport(name="r", pending=2, **held)
    Record(journal="", name="r", pace=Pace()).tell_how_to_continue(report, None)
    assert "2 not sent yet. Continue with: callsavvy campaigns continue r && callsavvy campaigns resume r\n" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("file", "title"), [("-", "list"), ("a/Spring sale (2).csv.gz", "Spring-sale-2"), ("é.csv", "list")]
)
def test_the_title_of_a_list_needs_no_quotes(file: str, title: str) -> None:
    """The name of a campaign is one word of plain characters, whatever the file is called."""
    from callsavvy_async.cli.options import DEFAULT_DURABILITY  # noqa: PLC0415

    with recording(file, DEFAULT_DURABILITY, Pace(), simulator=True) as record:
        assert re.fullmatch(rf"{title}-\d{{4}}-\d\d-\d\d-\d{{4}}", record.name)
