"""``callsavvy estimate``: offline, unless the balance is asked for."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator
from tests.bulk.workbooks import workbook
from tests.profiles import mostly_long

from .harness import Run


def test_offline(run: Run, people: Path) -> None:
    """The plan is worked out without keys, and tells what makes a message expensive."""
    result = run("estimate", "sms", people, "--message", "“Hello”")
    assert result.code == 0
    assert "UCS-2 needed for" in result.out
    assert "row 5: invalid" in result.out


def test_json(run: Run, people: Path) -> None:
    """With -o json it is one document with numbers."""
    result = run("estimate", "robocall", people, "--message", "Hello", "--duration-minutes", "1.5", "-o", "json")
    assert result.json["recipients"] == 3
    assert result.json["estimated_units"] == 4.5
    assert result.json["affordable"] is None


def test_whatsapp_chunks(run: Run, tmp_path: Path) -> None:
    """WhatsApp is planned in calls of 30, and its cost cannot be told."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(31)))
    result = run("estimate", "whatsapp", path, "--message", "Hello", "-o", "json")
    assert (result.json["requests"], result.json["most_requests"], result.json["estimated_units"]) == (2, 2, None)
    assert run("estimate", "whatsapp", path, "--message", "Hello", "--chunk-size", 31).code == 2


@pytest.mark.parametrize(("left", "code"), [(3, 0), (2, 4)])
def test_balance(run: Run, account: Simulator, people: Path, left: int, code: int) -> None:
    """With --balance the exit code says whether the account covers it."""
    account.world.balances = account.world.balances.less(sms=Decimal(100_000 - left))
    result = run("estimate", "sms", people, "--message", "Hello", "--balance")
    assert result.code == code
    assert run("bulk", "sms", people, "--message", "Hello", "--balance", "--dry-run").code == code


def test_balance_of_minutes(run: Run, account: Simulator, people: Path) -> None:
    """Only the smaller of local and international minutes is sure to cover a robocall: which is charged is not documented."""
    arguments = ("estimate", "robocall", people, "--message", "Hello", "--balance", "-o", "json", "--duration-minutes")
    assert run(*arguments, 33_333).json["affordable"] is True
    assert run(*arguments, 33_334).json["affordable"] is False


@pytest.mark.parametrize("output", mostly_long([("-o", "json"), ()]), ids=["json", "text"])
@pytest.mark.parametrize(
    "message",
    [
        ("sms", "--message", "“Hello”", "--chunk-size", "2"),
        ("sms", "--template", "Hi {name}, {x|y}"),
        ("whatsapp", "--message", "Hello"),
        ("robocall", "--message", "Hello", "--duration-minutes", "1.5"),
        ("robocall", "--audio-url", "https://a.example/b.mp3", "--duration-minutes", "1"),
    ],
    ids=" ".join,
)
def test_it_is_the_dry_run_of_bulk(run: Run, people: Path, message: tuple[str, ...], output: tuple[str, ...]) -> None:
    """Both print the same, and refuse the same."""
    channel, *options = message
    estimated = run("estimate", channel, people, *options, *output)
    tried = run("bulk", channel, people, *options, "--dry-run", *output)
    assert estimated.out == tried.out.replace('"command": "bulk', '"command": "estimate')
    assert (estimated.code, estimated.err) == (tried.code, tried.err)


@pytest.mark.parametrize("command", [("estimate", "sms"), ("bulk", "sms", "--dry-run")], ids=" ".join)
def test_rows_that_would_be_left_out_are_written(
    run: Run, people: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """With --report every row that would get nothing is in a file, with the reason, before anything is sent."""
    stop, report = tmp_path / "stop.txt", tmp_path / "bad.csv"
    stop.write_text("+2345990000002\n")
    result = run(*command, people, "--message", "Hello", "--suppress", stop, "--report", report)
    assert result.code == 0
    assert f"the rows that would be left out are in {report}" in result.err
    with report.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["recipient"], row["outcome"]) for row in rows] == [
        ("2", "'+234 599 000 0002", "skipped: suppressed"),
        ("4", "+2345990000001", "skipped: duplicate"),
        ("5", "nobody", "skipped: invalid"),
    ]
    assert "holds letters" in rows[2]["detail"]
    assert run(*command, people, "--message", "Hello", "--report", tmp_path / "bad.parquet").code == 2


def test_workbook_and_encoding(run: Run, tmp_path: Path) -> None:
    """A sheet and an encoding are named by options, and the plan names them."""
    book, old = tmp_path / "people.xlsx", tmp_path / "people.csv"
    book.write_bytes(workbook({"Lagos": [["phone"], ["+2345990000001"]], "Abuja": [["phone"], ["+2345990000002"]]}))
    refused = run("estimate", "sms", book, "--message", "x")
    assert (refused.code, refused.out) == (2, "")
    assert "has several sheets: 'Lagos', 'Abuja'" in refused.err
    assert (
        f"{book} (Excel, sheet 'Abuja'), 1 row"
        in run("estimate", "sms", book, "--message", "x", "--sheet", "Abuja").out
    )
    old.write_bytes("phone,name\n+2345990000001,Zo\u00eb\n".encode("cp1252"))
    options = ("estimate", "sms", old, "--template", "Hi {name}")
    assert "name the encoding of the file, such as windows-1252" in run(*options).err
    assert "(CSV, windows-1252), 1 row" in run(*options, "--encoding", "windows-1252").out


def test_requests_of_a_campaign_are_known(run: Run, tmp_path: Path) -> None:
    """A campaign is cut into requests when it is loaded, so its plan names one number of requests."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(300)))
    plan = run("bulk", "sms", path, "--message", "Hello", "--dry-run").out
    told_apart = run("bulk", "sms", path, "--message", "Hello", "--dry-run", "--reconcilable").out
    assert "in 3 requests" in plan
    assert "in 4 requests" in told_apart
