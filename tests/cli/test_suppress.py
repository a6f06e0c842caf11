"""``callsavvy suppress``: numbers that no campaign of the journal is sent to."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator

from .harness import Run


def test_a_suppressed_number_gets_nothing(run: Run, account: Simulator, people: Path) -> None:
    """Every later send of the default journal leaves it out, and the report says why; a removal ends that."""
    assert (
        run("suppress", "add", "+2345990000001", "+234 599 000 0002").out == "2 numbers added, 0 already on the list\n"
    )
    assert run("suppress", "add", "+2345990000001").out == "0 numbers added, 1 already on the list\n"
    listed = run("suppress", "list", "-o", "json").json
    assert [row["number"] for row in listed] == ["+2345990000001", "+2345990000002"]
    sent = run("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json")
    assert (sent.code, sent.json["accepted"], sent.json["skipped"]["suppressed"]) == (0, 1, 3)
    assert "Recipients: 1 message by sms in 1 request" in sent.err
    assert account.ledger.charged == {"+2345990000003": 1}
    assert run("suppress", "remove", "+2345990000001", "+2345990000009").out == "1 number removed, 1 not on the list\n"
    run("bulk", "sms", people, "--message", "Hello", "--yes")
    assert account.ledger.charged == {"+2345990000003": 2, "+2345990000001": 1}


def test_national_numbers_need_a_region(run: Run) -> None:
    """A number is read as a recipient's is, and the error names the rule."""
    assert run("suppress", "add", "0803 123 4567").code == 2
    assert run("suppress", "add", "0803 123 4567", "--region", "NG").code == 0
    assert run("suppress", "list").out.splitlines()[1].startswith("+2348031234567 ")


@pytest.mark.parametrize("command", [("list",), ("remove", "+2345990000001")])
def test_without_a_journal_there_is_no_list(run: Run, command: tuple[str, ...]) -> None:
    """Only `add` makes a journal."""
    missing = run("suppress", *command)
    assert missing.code == 1
    assert "there is no journal" in missing.err
