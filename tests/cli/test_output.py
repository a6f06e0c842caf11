"""How results are written."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from callsavvy_async.cli.output import show_one, show_rows
from callsavvy_async.models import Call, ConversationItem, Summary, Ticket


def test_terminal_is_not_obeyed_by_strangers(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and markup in what strangers wrote do nothing."""
    show_rows([Ticket(ticket_id="1", subject="\x1b[2J[red]a\nb[/red]")], Ticket, "table")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]a b[/red]" in out
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize(("cell", "written"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("+2345990000001", "+2345990000001")])
def test_spreadsheets_run_nothing(capsys: pytest.CaptureFixture[str], cell: str, written: str) -> None:
    """A cell that a spreadsheet would run is quoted; a phone number is not."""
    show_rows([Ticket(ticket_id=cell)], Ticket, "csv")
    assert capsys.readouterr().out.splitlines()[1].split(",")[0] == written


def test_json_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Times are ISO, durations seconds, money text, absence null; unknown fields are kept."""
    call = Call(call_id="1", started_at=datetime(2026, 11, 22, 8, 15), duration=timedelta(minutes=2), extra={"a": 1})  # noqa: DTZ001
    show_one(call, "json")
    read = json.loads(capsys.readouterr().out)
    assert (read["started_at"], read["duration"], read["direction"]) == ("2026-11-22 08:15:00", 120, None)
    assert read["extra"] == {"a": 1}
    show_one(Summary(sms_balance=Decimal("1.50")), "json")
    assert json.loads(capsys.readouterr().out)["sms_balance"] == "1.50"
    show_rows([ConversationItem(files=("https://a.example/1", "https://a.example/2"))], ConversationItem, "json")
    assert json.loads(capsys.readouterr().out)[0]["files"] == ["https://a.example/1", "https://a.example/2"]


def test_empty_list_has_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV without rows still names its columns, and a JSON list without rows is a list."""
    show_rows([], Ticket, "csv")
    assert capsys.readouterr().out.startswith("ticket_id,created_at")
    show_rows([], Ticket, "json")
    assert json.loads(capsys.readouterr().out) == []
