"""How results are written: as text, as JSON and as CSV."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from callsavvy_async.cli.document import as_json, number
from callsavvy_async.cli.output import Result, listing, single
from callsavvy_async.models import Call, ConversationItem, Summary, Ticket


def test_terminal_is_not_obeyed_by_strangers() -> None:
    """Control characters and markup in what strangers wrote do nothing."""
    out, _ = listing([Ticket(ticket_id="1", subject="\x1b[2J[red]a\nb[/red]")], Ticket).as_text()
    assert "\x1b" not in out
    assert "[red]a b[/red]" in out
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize(("cell", "written"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("+2345990000001", "+2345990000001")])
def test_spreadsheets_run_nothing(cell: str, written: str) -> None:
    """A cell that a spreadsheet would run is quoted; a phone number is not."""
    assert listing([Ticket(ticket_id=cell)], Ticket).as_csv().splitlines()[1].split(",")[0] == written


def test_json_values() -> None:
    """Times are ISO, durations seconds, amounts numbers, absence null; unknown fields are kept."""
    call = Call(call_id="1", started_at=datetime(2026, 11, 22, 8, 15), duration=timedelta(minutes=2), extra={"a": 1})  # noqa: DTZ001
    read = json.loads(as_json(single(call).data))
    assert (read["started_at"], read["duration"], read["direction"]) == ("2026-11-22 08:15:00", 120, None)
    assert read["extra"] == {"a": 1}
    assert json.loads(as_json(single(Summary(sms_balance=Decimal("1.50"))).data))["sms_balance"] == 1.5
    item = ConversationItem(files=("https://a.example/1", "https://a.example/2"))
    assert json.loads(as_json(single(item).data))["files"] == ["https://a.example/1", "https://a.example/2"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("100", "100"),
        ("1E+3", "1000"),
        ("99984.966", "99984.966"),
        ("-0.10", "-0.1"),
        ("NaN", "null"),
        ("Infinity", "null"),
    ],
)
def test_decimals_are_numbers(value: str, written: str) -> None:
    """The digits are the same; what is not finite has no number in JSON."""
    assert as_json(number(Decimal(value))) == written


def test_empty_list_has_a_header() -> None:
    """A CSV without rows still names its columns, and a JSON list without rows is a list."""
    assert listing([], Ticket).as_csv().startswith("ticket_id,created_at")
    assert listing([], Ticket).data == []


def test_objects_in_objects_are_columns() -> None:
    """CSV has a column for each field of an inner object, and people see numbers with commas."""
    result = Result({"given": 5200, "skipped": {"invalid": 138}, "running": False})
    assert result.as_csv() == "given,skipped.invalid,running\n5200,138,False"
    assert single(Summary(sms_balance=Decimal("99984.5"))).as_text()[0].count("99,984.5") == 1
