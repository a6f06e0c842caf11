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


@pytest.mark.long
def test_whoever_was_just_sent_to_gets_nothing(run: Run, account: Simulator, people: Path, tmp_path: Path) -> None:
    """`--not-within` counts every campaign of the journal; the plan says so, and the report says why."""
    first = tmp_path / "first.txt"
    first.write_text("+2345990000001\n")
    assert run("bulk", "sms", first, "--message", "Hello", "--yes").code == 0
    hello = ("bulk", "sms", people, "--message", "Hi", "--yes", "--not-within", "7d")
    report = tmp_path / "report.csv"
    for words in (("estimate", *hello[1:5], *hello[6:]), (*hello, "--dry-run")):
        plan = run(*words, "--report", report)
        assert "Skipped: 3 rows (1 recent, 1 duplicate, 1 invalid)" in plan.out
        assert "Not sent: 1 person to whom another campaign" in plan.out
        assert report.read_text().count("skipped: recent") == 1
        report.unlink()
    sent = run(*hello, "-o", "json")
    assert (sent.code, sent.json["accepted"], sent.json["skipped"]["recent"]) == (0, 2, 1)
    assert (
        "Not sent: 1 person to whom another campaign of the journal sent on this channel in the last 7 days, or may have"
        in sent.err
    )
    assert run(*hello, "--report", report).code == 0
    assert account.ledger.charged == {"+2345990000001": 1, "+2345990000002": 1, "+2345990000003": 1}
    assert report.read_text().count("skipped: recent") == 3


@pytest.mark.parametrize("period", ["7", "7 days", "0d", "-1d", "1.5h", "7D", "x"])
def test_a_period_is_a_number_and_a_unit(run: Run, people: Path, period: str) -> None:
    """The error shows one."""
    refused = run("bulk", "sms", people, "--message", "Hi", f"--not-within={period}")
    assert refused.code == 2
    assert f'"{period}" is not a period; write it as 7d, 12h or 30m' in refused.err


def test_the_cap_needs_the_journal(run: Run, people: Path) -> None:
    """Without a record of other campaigns it would be empty words."""
    refused = run("bulk", "sms", people, "--message", "Hi", "--not-within", "7d", "--no-journal")
    assert "--not-within needs a journal; leave out it or --no-journal" in refused.err
