"""Exports: the rows of a range of days, in a file that is complete or not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from callsavvy_async.simulator import Fault, Simulator
from tests.profiles import mostly_long

from .harness import Run

RANGE = ("--start", "2026-06-01", "--end", "2026-12-31")
GROUPS = {
    "tickets": ("tickets", "list"),
    "calls": ("calls", "list"),
    "chats": ("chats", "list"),
    "meetings": ("meetings", "list"),
}


@pytest.mark.parametrize("group", mostly_long(GROUPS))
def test_an_export_is_the_list(run: Run, account: Simulator, tmp_path: Path, group: str) -> None:
    """CSV and JSON lines have the rows and the fields of the list, and only the owner may read the file."""
    listed = run(*GROUPS[group], "-o", "json").json
    key = next(iter(listed[0]))
    lines, table = tmp_path / "rows.jsonl", tmp_path / "rows.csv"
    ended = run(group, "export", lines, *RANGE, "-o", "json")
    assert (ended.code, ended.json) == (0, {"file": str(lines), "rows": len(listed)})
    rows = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert sorted(rows, key=lambda row: row[key]) == sorted(listed, key=lambda row: row[key])
    assert run(group, "export", table, *RANGE).out == f"{len(listed)} rows in {table}\n"
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert {row[key] for row in csv.DictReader(file)} == {row[key] for row in listed}
    assert table.stat().st_mode & 0o777 == 0o600


def test_a_failed_export_leaves_the_older_file(run: Run, account: Simulator, tmp_path: Path) -> None:
    """If the API fails midway, the file is as it was, and nothing lies beside it."""
    path = tmp_path / "tickets.csv"
    path.write_text("older")
    account.faults.rule(Fault.with_status(403), resource="getTickets")
    assert run("tickets", "export", path, *RANGE).code == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["tickets.csv"]
    assert path.read_text() == "older"


def test_cells_run_nothing_in_a_spreadsheet(run: Run, account: Simulator, tmp_path: Path) -> None:
    """A subject that a stranger wrote as a formula is quoted."""
    department = run("departments", "-o", "json").json[0]["department_id"]
    created = (
        "--department-id",
        department,
        "--sender-name",
        "Ada",
        "--sender-email",
        "ada@a.example",
        "--message",
        "x",
    )
    assert run("tickets", "create", *created, "--subject", "=1+1").code == 0
    assert run("tickets", "export", tmp_path / "t.csv", *RANGE).code == 0
    assert ",'=1+1," in (tmp_path / "t.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("t.txt", *RANGE), "must end in .csv or .jsonl"),
        (("t.csv", "--start", "2026-11-02", "--end", "2026-11-01"), "--end 2026-11-01 is before --start 2026-11-02"),
        (("t.csv", "--start", "soon", "--end", "2026-11-01"), "--start"),
    ],
)
def test_wrong_arguments_are_refused_first(
    run: Run, account: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], hint: str
) -> None:
    """No request is made, and no file is written."""
    monkeypatch.chdir(tmp_path)
    ended = run("tickets", "export", *arguments)
    assert (ended.code, hint in ended.err) == (2, True)
    assert not account.requests
    assert not list(tmp_path.iterdir())
