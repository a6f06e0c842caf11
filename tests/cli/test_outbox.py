"""``callsavvy outbox``: the migration, a worker, and what failed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from callsavvy_async.outbox import Outbox
from callsavvy_async.simulator import Fault, Simulator

from .harness import Run

NUMBER = "+2348012345678"
PLACE = ("--journal", "sends.db", "--outbox", "app.db")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def enqueue(*texts: str) -> None:
    with sqlite3.connect("app.db") as connection:
        for text in texts:
            Outbox().send_sms(connection, NUMBER, text, key=f"key-{text}")
    connection.close()


def migrate(run: Run) -> None:
    printed = run("outbox", "sql", "sqlite")
    connection = sqlite3.connect("app.db")
    connection.executescript(printed.out)
    connection.close()


def test_what_is_in_the_outbox_is_sent(run: Run, account: Simulator) -> None:
    """The printed migration creates the table, the worker empties it."""
    assert "CREATE TRIGGER" in run("outbox", "sql").out
    migrate(run)
    enqueue("a", "b")
    assert run("outbox", "show", *PLACE).out == "2 pending, 0 failed, 0 unknown\n"
    sent = run("outbox", "work", "--until-empty", *PLACE)
    assert (sent.code, sent.out) == (0, "2 sent, 0 failed, 0 unknown\n")
    assert account.ledger.charged == {NUMBER: 2}
    assert run("outbox", "show", *PLACE).out == "0 pending, 0 failed, 0 unknown\n"


def test_failures_and_unknown_outcomes_are_listed(run: Run, account: Simulator) -> None:
    """A failure shows its reason and is retried on request; an unknown outcome is listed with the keys."""
    migrate(run)
    enqueue("a", "b")
    account.faults.next("sendSMS", Fault.with_status(400))
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    assert run("outbox", "work", "--until-empty", *PLACE).code == 3
    shown = run("outbox", "show", *PLACE)
    assert (shown.code, NUMBER in shown.out) == (1, False)
    assert shown.out.startswith("0 pending, 1 failed, 1 unknown\nkey-a: sendSMS: 400")
    (doubtful,) = run("keys", "unknown", "--journal", "sends.db", "-o", "json").json
    assert (doubtful["key"], doubtful["resource"]) == ("key-b", "sendSMS")
    assert run("keys", "resolve", "key-b", "--sent", "--journal", "sends.db").code == 0
    assert run("outbox", "retry", *PLACE).out == "1 message pending again\n"
    again = run("outbox", "work", "--until-empty", *PLACE)
    assert (again.out, again.err) == ("2 sent, 0 failed, 0 unknown\n", "")
    assert account.ledger.charged == {NUMBER: 2}


def test_a_rejected_message_is_a_failure(run: Run, account: Simulator) -> None:
    """The exit code says so."""
    migrate(run)
    enqueue("a")
    account.faults.next("sendSMS", Fault.with_status(400))
    assert run("outbox", "work", "--until-empty", *PLACE).code == 1


def test_a_journal_in_a_file_needs_the_name_of_the_outbox(run: Run) -> None:
    """The error names the option."""
    shown = run("outbox", "show", "--journal", "sends.db")
    assert (shown.code, "--outbox app.db" in shown.err) == (5, True)
