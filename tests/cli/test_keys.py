"""``callsavvy keys``: what a program left unknown is listed and settled by a person."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from callsavvy_async import Callsavvy, OutcomeUnknownError
from callsavvy_async.campaigns.journal import keyed
from callsavvy_async.simulator import Fault, Simulator

from .harness import Run

NUMBER = "+2348012345678"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def send() -> None:
    async def once() -> None:
        async with Callsavvy.from_env(journal="sqlite:///sends.db") as callsavvy:
            await callsavvy.messaging.send_sms(NUMBER, "Hello", key="order-17")

    anyio.run(once)


@pytest.mark.parametrize("sent", ["--sent", "--no-sent"])
def test_an_unknown_key_is_settled_by_a_person(run: Run, account: Simulator, sent: str) -> None:
    """It is listed without numbers; after "sent" nothing is sent under it, after "not sent" the next request is."""
    journal = ("--journal", "sends.db")
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ if sent == "--sent" else Fault.DROP_UNPROCESSED)
    with pytest.raises(OutcomeUnknownError):
        send()
    listed = run("keys", "unknown", *journal)
    assert listed.code == 3
    assert listed.out.splitlines()[1].startswith("order-17  sendSMS   20")
    assert NUMBER not in listed.out
    assert run("keys", "resolve", "order-17", sent, *journal).code == 0
    assert run("keys", "unknown", *journal).code == 0
    send()
    assert account.ledger.charged == {NUMBER: 1}
    refused = run("keys", "resolve", "order-17", sent, *journal)
    assert (refused.code, "is not unknown" in refused.err) == (2, True)


def test_a_restored_journal_is_trusted_by_a_person(run: Run, account: Simulator) -> None:
    """Until then new keys are refused."""
    send()

    def forget(cursor) -> None:
        cursor.execute("DELETE FROM keyed")
        cursor.execute("INSERT INTO journal (name, value) VALUES (?, '1')", (keyed.KEYS_MISSING,))

    async def restore() -> None:
        async with Callsavvy.from_env(journal="sqlite:///sends.db") as callsavvy:
            await (await callsavvy.keys()).writer.run(forget)

    anyio.run(restore)
    with pytest.raises(Exception, match="callsavvy keys trust"):
        send()
    assert run("keys", "trust", "--journal", "sends.db").code == 0
    send()
    assert account.ledger.posts("sendSMS") == 2


def test_a_journal_that_does_not_exist_is_not_created(run: Run) -> None:
    """A misspelt file is an error."""
    for command in (("unknown",), ("resolve", "order-17", "--sent"), ("trust",)):
        assert run("keys", *command, "--journal", "none.db").code != 0
    assert not Path("none.db").exists()
