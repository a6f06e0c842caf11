"""The record of ``callsavvy bulk``, and ``callsavvy campaigns``, against the simulator on a socket."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from callsavvy_async.campaigns import Campaign, CampaignReport
from callsavvy_async.cli import campaign_watch
from callsavvy_async.simulator import Fault, Simulator, serve
from testbed.servers.postgres import PostgresServer
from tests.profiles import mostly_long

from .harness import Run, environment, start

JOURNAL = Path("state/callsavvy-async/campaigns.db")
"""The default journal, in the state folder of the tests."""
HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1, "--max-in-flight", 1, "--rate", "1000/s")
CHANNELS = [("sms",), ("whatsapp", "--channel-uid", "TEST-whatsapp"), ("robocall", "--duration-minutes", 1)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("channel", mostly_long(CHANNELS))
def test_a_run_is_sent_once_however_often_it_is_asked_for(run: Run, account: Simulator, people: Path, channel) -> None:
    """The same command again changes nothing; the journal lists, shows and writes what became of it."""
    name, *options = channel
    for _ in range(2):
        result = run("bulk", name, people, *options, *HELLO, "--campaign", "r", "--report", "r.csv")
        assert result.code == 0, result.err
        assert set(account.ledger.charged.values()) == {1}
        assert "3 accepted" in result.out
    assert len(Path("r.csv").read_text().splitlines()) == 6
    listed = run("campaigns", "list", "-o", "json").json
    assert [(row["name"], row["given"], row["accepted"]) for row in listed] == [("r", 5, 3)]
    assert run("campaigns", "show", "r", "-o", "json").json["accepted"] == 3
    assert run("campaigns", "report", "r", "rows.jsonl").code == 0
    assert len(Path("rows.jsonl").read_text().splitlines()) == 5
    verified = run("campaigns", "verify", "r")
    assert (verified.code, verified.out) == (0, "3 requests, 3 recipients, 0 findings\n")
    assert "3 settled, 0 pending" in run("campaigns", "watch", "r", "--every", "0.01").out


@pytest.mark.long
def test_a_journal_may_be_in_postgresql(run: Run, account: Simulator, people: Path, postgres: PostgresServer) -> None:
    """A URL stands wherever the journal's file may; a second command continues what the first began."""
    journal = ("--journal", postgres.new_database())
    for _ in range(2):
        assert run("bulk", "sms", people, *HELLO, "--campaign", "r", *journal).code == 0
    assert set(account.ledger.charged.values()) == {1}
    assert [row["accepted"] for row in run("campaigns", "list", *journal, "-o", "json").json] == [3]
    assert run("campaigns", "resume", "r", "--yes", *journal).code == 0
    assert run("campaigns", "verify", "r", *journal).out == "3 requests, 3 recipients, 0 findings\n"
    assert not list(Path().glob("*.db"))


def test_unknown_calls_are_settled_by_a_person(run: Run, account: Simulator, people: Path) -> None:
    """What is unknown has exit code 3, is listed, resolved and sent again only when told so."""
    account.faults.next("sendSMS", Fault.DROP_UNPROCESSED, times=3)
    assert run("bulk", "sms", people, *HELLO, "--campaign", "r").code == 3
    listed = run("campaigns", "unknown", "r", "--numbers")
    assert listed.code == 3
    assert listed.out.splitlines()[2].split()[:3] == ["2", "1", "1"]
    assert "+2345990000002" in listed.out
    assert run("campaigns", "unknown", "r").out.count("\n") == 4
    assert run("campaigns", "resolve", "r", 1, "--sent").code == 0
    assert run("campaigns", "resolve", "r", 2, "--no-sent").code == 0
    assert run("campaigns", "resolve", "r", 2, "--sent").code == 2
    assert run("campaigns", "show", "r").code == 3
    assert run("campaigns", "resume", "r", "--yes").code == 3
    assert not account.ledger.charged
    assert run("campaigns", "resume", "r", "--yes", "--resend", "not-sent").code == 3
    assert account.ledger.charged == {"+2345990000002": 1}
    assert run("campaigns", "resume", "r", "--yes", "--resend", "unknown", "-o", "json").json["accepted"] == 3
    assert run("campaigns", "unknown", "r").code == 0


def test_the_balance_settles_them(run: Run, account: Simulator, people: Path) -> None:
    """Reconciling shows the evidence, and acts only when the account is said to be exclusive."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ, times=2)
    assert run("bulk", "sms", people, *HELLO, "--campaign", "r").code == 3
    shown = run("campaigns", "reconcile", "r")
    assert shown.code == 3
    assert "charged: 1, 2; not charged: none" in shown.out
    assert run("campaigns", "reconcile", "r", "--exclusive").code == 0
    assert run("campaigns", "show", "r").code == 0
    assert "0 unknown requests" in run("campaigns", "reconcile", "r").out


def test_purging_and_resuming_need_a_yes(run: Run, account: Simulator, people: Path) -> None:
    """Without a terminal to ask at, nothing is removed or sent."""
    run("bulk", "sms", people, *HELLO, "--campaign", "r")
    assert run("campaigns", "purge", "r").code == 2
    assert run("campaigns", "resume", "r").code == 2
    assert run("campaigns", "purge", "r", "--yes").code == 0
    assert run("campaigns", "show", "r").code == 0
    assert "purged" in run("campaigns", "report", "r", "rows.csv").err


def test_resuming_shows_what_is_left(run: Run, account: Simulator, people: Path) -> None:
    """Before a campaign goes on, its account, text, people, price and rest are shown, and who may get it twice."""
    account.faults.next("sendSMS", Fault.DROP_UNPROCESSED)
    assert run("bulk", "sms", people, *HELLO, "--campaign", "r", "--max-cost", 2).code == 4
    stopped = run("campaigns", "resume", "r", "--yes", "--max-cost", 2, "--journal", JOURNAL, "--rate", "90/s").err
    command = f"callsavvy campaigns resume r --rate 90/s --journal {JOURNAL.absolute()}"
    assert f"1 not sent yet. Continue with: {command}\n" in stopped
    rest = run("campaigns", "resume", "r", "--yes", "--max-cost", 2, "--rate", "30/min").err
    assert "Account: key *** at http://127.0.0.1" in rest
    assert "List: what is left of campaign 'r', 1 row" in rest
    assert "Units: about 1, which the balance of" in rest
    assert "Time: about 2 s at 30/min" in rest
    assert "Text for everybody (1 segment, 1 unit each):\n    Hello\n" in rest
    assert "Before: 1 of 5 accepted, 2 left out of the list" in rest
    assert "Not sent again: 1 recipient whose request" in rest
    again = run("campaigns", "resume", "r", "--yes", "--resend", "unknown").err
    assert "List: what is left of campaign 'r', 2 rows" in again
    assert "Warning: 1 of these people may get the message a second time, and you may pay twice" in again


def test_what_is_wrong_is_said_in_one_line(run: Run, account: Simulator, people: Path) -> None:
    """A journal that is not there, a run that is not in it, another text under its name, a damaged file."""
    assert "no journal" in run("campaigns", "purge", "r", "--yes").err
    assert not JOURNAL.exists()
    run("bulk", "sms", people, *HELLO, "--campaign", "r")
    assert run("campaigns", "show", "x").code == 2
    changed = run("bulk", "sms", people, "--message", "Bye", "--yes", "--chunk-size", 1, "--campaign", "r")
    assert changed.code == 2
    assert "another text" in changed.err
    Path("bad.db").write_text("no database " * 100)
    damaged = run("campaigns", "verify", "r", "--journal", "bad.db")
    assert (damaged.code, damaged.out) == (1, "")
    assert damaged.err.count("\n") == 1


def test_a_finding_has_exit_code_1(run: Run, account: Simulator, people: Path) -> None:
    """A journal that does not fit together is told by `campaigns verify`, and its run ends badly."""
    run("bulk", "sms", people, *HELLO, "--campaign", "r")
    with sqlite3.connect(JOURNAL) as raw:
        raw.execute("DELETE FROM chunk WHERE number = 2")
    raw.close()
    assert run("campaigns", "verify", "r").code == 1
    resumed = run("campaigns", "resume", "r", "--yes")
    assert "an error ended the send" in resumed.err
    assert resumed.code == 1


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_stopped_or_killed_it_is_resumed(run: Run, tmp_path: Path, number: signal.Signals, monkeypatch) -> None:
    """After SIGTERM nothing is unknown, after SIGKILL at most what was on the wire; resumed, everybody else is reached."""
    people = tmp_path / "people.txt"
    people.write_text("".join(f"+234599{n:07}\n" for n in range(60)))
    some_calls = threading.Event()

    def latency(_: object) -> float:
        if account.ledger.totals.requests >= 10:
            some_calls.set()
        return 0.05

    account = Simulator(latency=latency)
    with serve(account) as server:
        arguments = ("bulk", "sms", people, "--message", "Hello", "--yes", "--chunk-size", 1, "--max-in-flight", 4)
        with start(*arguments, "--campaign", "r", **environment(server)) as program:
            assert some_calls.wait(60)
            assert run("campaigns", "show", "r", "-o", "json").json["running"]
            program.send_signal(number)
            program.communicate(timeout=60)
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        first = run("campaigns", "show", "r", "-o", "json").json
        assert first["given"] == 60
        account.latency = 0.0
        resumed = run("campaigns", "resume", "r", "--yes", "-o", "json").json
    assert resumed["unknown"] <= (0 if number == signal.SIGTERM else 4)
    assert resumed["accepted"] + resumed["unknown"] == 60
    assert set(account.ledger.charged.values()) == {1}


def sending(account: Simulator, told: threading.Event, seconds: float) -> float:
    """Take so long to answer a send, and tell that one has come; the balance is answered at once."""
    if not account.ledger.posts("sendSMS"):
        return 0.0
    told.set()
    return seconds


@pytest.mark.long
@pytest.mark.sockets
def test_watching_ends_with_the_run(run: Run, people: Path, monkeypatch) -> None:
    """A second terminal sees how far it is, and for how long, until the run ends; a killed one is given up after a while."""
    first_call, account = threading.Event(), Simulator()
    account.latency = lambda _: sending(account, first_call, 0.2)
    command = ("bulk", "sms", people, *HELLO, "--campaign", "r")
    with serve(account) as server, start(*command, **environment(server)) as program:
        assert first_call.wait(60)
        watched = run("campaigns", "watch", "r", "--every", "0.05")
        program.communicate(timeout=60)
    lines = watched.out.splitlines()
    assert "1 in flight" in lines[0]
    assert any("s left" in line for line in lines)
    assert lines[-1].startswith("3 settled, 0 pending, 0 in flight, 0 unknown, cost 3")
    assert watched.code == 0
    monkeypatch.setattr(campaign_watch, "_DEAD_AFTER", 0.1)
    with sqlite3.connect(JOURNAL) as raw:
        raw.execute("UPDATE run SET ended = NULL")
    raw.close()
    assert run("campaigns", "watch", "r", "--every", "0.01").code == 0


def test_watching_goes_on_while_a_run_waits(run: Run, account: Simulator, people: Path, monkeypatch) -> None:
    """A run that waits changes nothing for hours, but it writes that it is alive: it is watched until it ends."""
    assert run("bulk", "sms", people, *HELLO, "--campaign", "r").code == 0
    now = "(julianday('now') - 2440587.5) * 86400"
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        with sqlite3.connect(JOURNAL) as raw:
            raw.execute(f"UPDATE run SET {'ended = 1' if len(looks) > 5 else f'heartbeat = {now}'}")
        raw.close()

    with sqlite3.connect(JOURNAL) as raw:
        raw.execute(f"UPDATE run SET ended = NULL, heartbeat = {now}")
    raw.close()
    hours = iter(range(0, 360_000, 3_600))
    monkeypatch.setattr(campaign_watch, "time", SimpleNamespace(monotonic=lambda: float(next(hours)), sleep=sleep))
    assert run("campaigns", "watch", "r", "--every", "1").code == 0
    assert len(looks) == 6


def test_who_is_being_loaded_is_not_settled() -> None:
    """A list that is under way is given before it is pending: nobody of it has got anything."""
    report = CampaignReport(name="r", given=100, accepted=10, cancelled=5, pending=20, in_flight=5)
    assert campaign_watch.CampaignView(report, ()).settled == 15


@pytest.mark.long
@pytest.mark.sockets
def test_the_second_signal_abandons(run: Run, people: Path) -> None:
    """After a second SIGTERM what was on the wire is unknown in the journal, and the rest is pending."""
    on_the_wire, account = threading.Event(), Simulator()
    account.latency = lambda _: sending(account, on_the_wire, 20.0)
    command = ("bulk", "sms", people, *HELLO, "--campaign", "r")
    with serve(account) as server, start(*command, **environment(server)) as program:
        assert on_the_wire.wait(60)
        program.send_signal(signal.SIGTERM)
        assert program.stderr is not None
        assert any("stopping" in line for line in program.stderr)  # the plan stands before it
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
        assert program.returncode == 130
    shown = run("campaigns", "show", "r", "-o", "json").json
    assert (shown["unknown"], shown["pending"], shown["in_flight"], shown["running"]) == (1, 2, 0, False)


@pytest.mark.long
@pytest.mark.sockets
def test_killed_while_it_waits_after_a_refusal(run: Run, people: Path) -> None:
    """Between a 429 and its repeat nothing is on the wire: kill -9 then leaves nothing unknown."""
    account = Simulator()
    account.faults.next("sendSMS", Fault.with_status(429, retry_after="600"))
    with (
        serve(account) as server,
        start("bulk", "sms", people, *HELLO, "--campaign", "r", **environment(server)) as program,
    ):
        while not account.ledger.posts("sendSMS") or run("campaigns", "show", "r", "-o", "json").json["in_flight"]:
            assert program.poll() is None
            time.sleep(0.05)
        program.kill()
        program.communicate(timeout=60)
        assert (
            run("campaigns", "resolve", "r", 1, "--sent").code == 2
        )  # opens it for writing: what was in flight is unknown
        shown = run("campaigns", "show", "r", "-o", "json").json
    assert (shown["pending"], shown["unknown"], shown["in_flight"]) == (3, 0, 0)
    assert not account.ledger.charged


def closed_window() -> str:
    """Return a window that opens hours from now, on UTC's clock."""
    hour = datetime.now(UTC).hour
    return f"{(hour + 5) % 24:02}:00-{(hour + 6) % 24:02}:00"


@pytest.mark.parametrize(
    "schedule",
    [
        ("--send-window", closed_window(), "--time-zone", "UTC"),
        ("--start-at", "2096-11-30T09:00+01:00"),
        ("--start-at", "2096-11-30T09:00", "--time-zone", "Africa/Lagos"),
    ],
)
@pytest.mark.parametrize("channel", mostly_long(CHANNELS))
def test_nothing_is_sent_out_of_hours(run: Run, account: Simulator, people: Path, schedule, channel) -> None:
    """Outside of the window, and before the first moment, everything stays pending; the deadline ends the waiting."""
    name, *options = channel
    result = run(
        "bulk", name, people, *options, *HELLO, "--campaign", "r", *schedule, "--deadline", "0.2", "-o", "json"
    )
    assert (result.json["pending"], result.json["stopped"]) == (3, "the run reached its deadline")
    assert run("campaigns", "resume", "r", "--yes", "--deadline", "0.2", "-o", "json").json["pending"] == 3
    assert not account.ledger.charged


def test_within_hours_it_is_sent(run: Run, account: Simulator, people: Path) -> None:
    """A window on the recipients' clocks that is open all day, a first moment that is past."""
    hours = ("--send-window", "00:00-24:00", "--time-zone", "recipient", "--start-at", "2020-01-01T00:00+00:00")
    assert run("bulk", "sms", people, *HELLO, "--campaign", "r", *hours).code == 0
    assert len(account.ledger.charged) == 3


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--no-journal", "--campaign", "r"), "--campaign needs a journal"),
        (("--no-journal", "--load-only"), "--load-only needs a journal"),
        (("--no-journal", "--journal", "other.db"), "--journal needs a journal"),
        (("--dry-run", "--report", "r.parquet"), ".parquet file, which only a send can write"),
        (("--campaign", "r", "--start-at", "2096-11-30T09:00"), "no offset"),
        (("--campaign", "r", "--start-at", "2096-11-30T09:00", "--time-zone", "Mars/Olympus"), "IANA"),
        (("--campaign", "r", "--send-window", "09:00-18:00"), "time-zone"),
        (("--campaign", "r", "--send-window", "9-18", "--time-zone", "UTC"), "09:00-18:00"),
        (("--campaign", "r", "--reconcilable"), "reconcilable"),
    ],
)
def test_wrong_options_are_refused_first(run: Run, account: Simulator, people: Path, options, rule) -> None:
    """Options that contradict each other, or that a journal would refuse, end the command before anything is written."""
    result = run("bulk", "sms", people, *HELLO, *options)
    assert (result.code, result.out) == (2, "")
    assert rule in result.err
    assert not account.requests
    assert not JOURNAL.exists()


def test_calls_that_the_balance_tells_apart(run: Run, account: Simulator, tmp_path: Path) -> None:
    """With --reconcilable the calls are of different sizes, and those that are lost are told one from the other."""
    people = tmp_path / "many.txt"
    people.write_text("".join(f"+234599{n:07}\n" for n in range(577)))
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    account.faults.next("sendSMS", Fault.DROP_UNPROCESSED)
    message = ("--message", "Hello", "--yes", "--reconcilable", "--campaign", "r", "--report", "r.parquet")
    assert run("bulk", "sms", people, *message, "--max-in-flight", 1).code == 3
    assert Path("r.parquet").stat().st_size
    assert "charged: 1; not charged: 2" in run("campaigns", "reconcile", "r", "--exclusive").out
    assert run("campaigns", "resume", "r", "--yes", "--resend", "not-sent", "--max-cost", 577).code == 0
    assert account.ledger.charged == dict.fromkeys((f"+234599{n:07}" for n in range(577)), 1)


def test_a_durable_run_to_the_simulator(run: Run, people: Path) -> None:
    """With --simulator the report is compared with the ledger; of a continued run, what this process sent."""
    first = run("bulk", "sms", people, *HELLO, "--campaign", "r", "--simulator", "--max-cost", 2)
    assert "ledger: 2 recipients charged once, 0 more than once; report: 2 accepted\n" in first.out
    assert first.code == 4
    second = run("bulk", "sms", people, *HELLO, "--campaign", "r", "--simulator", "-o", "json")
    assert (second.json["accepted"], second.json["ledger"]) == (
        3,
        {"charged_once": 1, "charged_more_than_once": 0, "agrees": True},
    )
    assert second.code == 0


def test_a_report_that_cannot_be_written_is_no_loss(run: Run, account: Simulator, people: Path, monkeypatch) -> None:
    """When the report's file cannot be written, the sums are shown all the same, and the exit code is not 0."""
    monkeypatch.setattr(Campaign, "export", fail_to_export)
    result = run("bulk", "sms", people, *HELLO, "--campaign", "r", "--report", "r.csv")
    assert "3 accepted" in result.out
    assert "an error ended the send" in result.err
    assert result.code == 1


async def fail_to_export(_: Campaign, path: Path) -> None:
    raise OSError(28, "No space left on device", str(path))
