"""``callsavvy bulk --run`` and ``callsavvy runs``, against the simulator on a socket."""

from __future__ import annotations

import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from callsavvy_async.simulator import Fault, Simulator, serve

from .harness import Run, environment, start

HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1, "--max-in-flight", 1)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "channel", [("sms",), ("whatsapp", "--channel-uid", "TEST-whatsapp"), ("robocall", "--duration-minutes", 1)]
)
def test_a_run_is_sent_once_however_often_it_is_asked_for(run: Run, account: Simulator, people: Path, channel) -> None:
    """The same command again changes nothing; the journal lists, shows and writes what became of it."""
    name, *options = channel
    for _ in range(2):
        result = run("bulk", name, people, *options, *HELLO, "--run", "r", "--report", "r.csv")
        assert result.code == 0, result.err
        assert set(account.ledger.charged.values()) == {1}
        assert "3 accepted" in result.out
    assert len(Path("r.csv").read_text().splitlines()) == 6
    assert "r: 5 given, 3 accepted" in run("runs", "list").out
    assert run("runs", "show", "r", "--json").json["accepted"] == 3
    assert run("runs", "report", "r", "rows.jsonl").code == 0
    assert len(Path("rows.jsonl").read_text().splitlines()) == 5
    verified = run("runs", "verify", "r")
    assert (verified.code, verified.out) == (0, "3 calls, 3 recipients, 0 findings\n")
    assert "3 settled, 0 pending" in run("runs", "watch", "r", "--every", "0.01").out


def test_unknown_calls_are_settled_by_a_person(run: Run, account: Simulator, people: Path) -> None:
    """What is unknown has exit code 3, is listed, resolved and sent again only when told so."""
    account.faults.next("sendSMS", Fault.DROP_UNPROCESSED, times=3)
    assert run("bulk", "sms", people, *HELLO, "--run", "r").code == 3
    listed = run("runs", "unknown", "r", "--numbers")
    assert listed.code == 3
    assert "call 2: 1 recipients, about 1 units" in listed.out
    assert "+2345990000002" in listed.out
    assert run("runs", "unknown", "r").out.count("\n") == 3
    assert run("runs", "resolve", "r", 1, "--sent").code == 0
    assert run("runs", "resolve", "r", 2, "--no-sent").code == 0
    assert run("runs", "resolve", "r", 2, "--sent").code == 2
    assert run("runs", "show", "r").code == 3
    assert run("runs", "resume", "r", "--yes").code == 3
    assert not account.ledger.charged
    assert run("runs", "resume", "r", "--yes", "--resend", "not-sent").code == 3
    assert account.ledger.charged == {"+2345990000002": 1}
    assert run("runs", "resume", "r", "--yes", "--resend", "unknown", "--json").json["accepted"] == 3
    assert run("runs", "unknown", "r").code == 0


def test_the_balance_settles_them(run: Run, account: Simulator, people: Path) -> None:
    """Reconciling shows the evidence, and acts only when the account is said to be exclusive."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ, times=2)
    assert run("bulk", "sms", people, *HELLO, "--run", "r").code == 3
    shown = run("runs", "reconcile", "r")
    assert shown.code == 3
    assert "charged: 1, 2; not charged: none" in shown.out
    assert run("runs", "reconcile", "r", "--exclusive").code == 0
    assert run("runs", "show", "r").code == 0
    assert "nothing is unknown" in run("runs", "reconcile", "r").out


def test_purging_and_resuming_need_a_yes(run: Run, account: Simulator, people: Path) -> None:
    """Without a terminal to ask at, nothing is removed or sent."""
    run("bulk", "sms", people, *HELLO, "--run", "r")
    assert run("runs", "purge", "r").code == 2
    assert run("runs", "resume", "r").code == 2
    assert run("runs", "purge", "r", "--yes").code == 0
    assert run("runs", "show", "r").code == 0
    assert "purged" in run("runs", "report", "r", "rows.csv").err


def test_what_is_wrong_is_said_in_one_line(run: Run, account: Simulator, people: Path) -> None:
    """A journal that is not there, a run that is not in it, another text under its name, a damaged file."""
    assert "no journal" in run("runs", "purge", "r", "--yes").err
    assert not Path("callsavvy-runs.db").exists()
    run("bulk", "sms", people, *HELLO, "--run", "r")
    assert run("runs", "show", "x").code == 2
    changed = run("bulk", "sms", people, "--message", "Bye", "--yes", "--chunk-size", 1, "--run", "r")
    assert changed.code == 2
    assert "another message" in changed.err
    Path("bad.db").write_text("no database " * 100)
    damaged = run("runs", "verify", "r", "--journal", "bad.db")
    assert (damaged.code, damaged.out) == (1, "")
    assert damaged.err.count("\n") == 1


def test_a_finding_has_exit_code_1(run: Run, account: Simulator, people: Path) -> None:
    """A journal that does not fit together is told by `runs verify`, and its run ends badly."""
    run("bulk", "sms", people, *HELLO, "--run", "r")
    with sqlite3.connect("callsavvy-runs.db") as raw:
        raw.execute("DELETE FROM chunk WHERE number = 2")
    raw.close()
    assert run("runs", "verify", "r").code == 1
    resumed = run("runs", "resume", "r", "--yes")
    assert "did not end well" in resumed.err
    assert resumed.code == 1


@pytest.mark.sockets
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
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
        with start(*arguments, "--run", "r", **environment(server)) as program:
            assert some_calls.wait(30)
            watched = run("runs", "watch", "r", "--every", "0.05")
            program.send_signal(number)
            program.communicate(timeout=30)
        assert "in flight" in watched.out
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        first = run("runs", "show", "r", "--json").json
        assert first["given"] == 60
        account.latency = 0.0
        resumed = run("runs", "resume", "r", "--yes", "--json").json
    assert resumed["unknown"] <= (0 if number == signal.SIGTERM else 4)
    assert resumed["accepted"] + resumed["unknown"] == 60
    assert set(account.ledger.charged.values()) == {1}
