"""``callsavvy bulk``, run in process against the simulator on a socket."""

from __future__ import annotations

import csv
import io
import json
import stat
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import Fault, Simulator
from tests.profiles import mostly_long

from .harness import Run


@pytest.mark.parametrize("name", ["report.csv", "report.jsonl"])
def test_sends_each_number_once(run: Run, account: Simulator, people: Path, tmp_path: Path, name: str) -> None:
    """Every good number of the file is sent to once, and the report file has a row for every row of the input."""
    report = tmp_path / name
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "--report", report)
    assert result.code == 0
    assert account.ledger.charged == dict.fromkeys(["+2345990000001", "+2345990000002", "+2345990000003"], 1)
    text = report.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text))) if name.endswith("csv") else list(map(json.loads, text.splitlines()))
    assert sorted((int(row["row"]), row["outcome"]) for row in rows) == [
        (1, "accepted"),
        (2, "accepted"),
        (3, "accepted"),
        (4, "skipped: duplicate"),
        (5, "skipped: invalid"),
    ]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def bodies(account: Simulator) -> list[dict[str, str]]:
    """Return what was sent. The balance is read before."""
    return [json.loads(request.body) for request in account.requests if request.resource.startswith("send")]


def test_json_result(run: Run, account: Simulator, people: Path) -> None:
    """With -o json stdout holds exactly one document, with the report."""
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json")
    assert (result.json["accepted"], result.json["skipped"]) == (3, {"duplicate": 1, "invalid": 1})


def test_template_and_message_file(run: Run, account: Simulator, people: Path, tmp_path: Path) -> None:
    """A template is filled in for each recipient; a message file is taken without its last line end."""
    run("bulk", "sms", people, "--template", "Hi {name}", "--yes")
    assert sorted(body["message"] for body in bodies(account)) == ["Hi Ada", "Hi Bola", "Hi Chidi"]
    text = tmp_path / "text.txt"
    text.write_text("\ufeffGood day\n", encoding="utf-8")
    run("bulk", "sms", people, "--message-file", text, "--yes")
    assert bodies(account)[-1]["message"] == "Good day"


def test_robocall_and_whatsapp(run: Run, account: Simulator, people: Path) -> None:
    """The options that only one channel has reach the API."""
    spoken = run("bulk", "robocall", people, "--message", "Hello", "--duration-minutes", "2", "--yes")
    played = run("bulk", "robocall", people, "--audio-url", "https://a.example/b.mp3", "--duration-minutes", 1, "--yes")
    chat = run("bulk", "whatsapp", people, "--message", "Hello", "--channel-uid", "TEST-whatsapp", "--yes")
    assert (spoken.code, played.code, chat.code) == (0, 0, 0)
    sent = bodies(account)
    assert [body.get("call_type", body.get("uid")) for body in sent] == [
        "Text-2-Speech",
        "Pre-recorded-Audio",
        "TEST-whatsapp",
    ]
    assert [body.get("duration") for body in sent] == ["2", "1", None]


def test_sender_id_pace_and_suppress(run: Run, account: Simulator, people: Path, tmp_path: Path) -> None:
    """Sender, chunk size and the suppress list are kept to."""
    suppressed = tmp_path / "stop.txt"
    suppressed.write_text("+234 599 000 0002\n")
    result = run(
        *("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json"),
        *("--sender-id", "ACME", "--chunk-size", 1, "--rate", "1000/s", "--burst", 5, "--suppress", suppressed),
    )
    assert result.json["skipped"]["suppressed"] == 1
    assert [body["sender_id"] for body in bodies(account)] == ["ACME", "ACME"]


def test_a_suppress_list_without_a_known_column(run: Run, people: Path, tmp_path: Path) -> None:
    """The error names the suppress list, and the option for its columns."""
    suppressed = tmp_path / "stop.csv"
    suppressed.write_text("Unsubscribed,Date\n+2345990000002,1 May\n")
    result = run("bulk", "sms", people, "--message", "Hello", "--dry-run", "--suppress", suppressed)
    assert f"{suppressed}: the column" in result.err
    assert "Name it: --suppress-column NAME." in result.err


def test_standard_input(run: Run, account: Simulator, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list may come through a pipe: it is planned and sent from one reading."""
    stdin = io.TextIOWrapper(io.BytesIO(people.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    result = run("bulk", "sms", "-", "--message", "Hello", "--yes", "-o", "json")
    assert (result.code, result.json["accepted"], sys.stdin) == (0, 3, stdin)


def test_literal(run: Run, account: Simulator, people: Path) -> None:
    """What looks like a placeholder is sent as it is written to whoever says so."""
    assert run("bulk", "sms", people, "--message", "Hi {name}", "--literal", "--yes").code == 0
    assert {body["message"] for body in bodies(account)} == {"Hi {name}"}


# ---------------------------------------------------------------------------------------------------------- refusals


def test_nobody_to_ask(run: Run, account: Simulator, people: Path) -> None:
    """Without a terminal and without --yes nothing is sent."""
    result = run("bulk", "sms", people, "--message", "Hello")
    assert result.code == 2
    assert "--yes" in result.err
    assert not account.requests


def test_dry_run_needs_no_keys(run: Run, people: Path) -> None:
    """A dry run prints the plan and sends nothing."""
    result = run("bulk", "sms", people, "--message", "Hello", "--dry-run")
    assert result.code == 0
    assert "3 messages by sms in 1 request" in result.out


def test_no_row_holds_a_number(run: Run, account: Simulator, people: Path) -> None:
    """A column without a single number is a mistake, not an empty list."""
    result = run("bulk", "sms", people, "--message", "Hello", "--column", "name", "--yes")
    assert result.code == 2
    assert "--column" in result.err
    assert not account.requests


def test_empty_list(run: Run, account: Simulator, tmp_path: Path) -> None:
    """A list without a row is a mistake that is named, unless it is said to be none."""
    empty = tmp_path / "empty.csv"
    empty.write_text("name,phone\n")
    result = run("bulk", "sms", empty, "--message", "Hello", "--yes")
    assert (result.code, result.out) == (2, "")
    assert f"no recipients in {empty}" in result.err
    assert not account.requests
    assert run("bulk", "sms", empty, "--message", "Hello", "--yes", "--allow-empty").code == 0


LISTS = {
    "header only": "name,phone\n",
    "misread": "name,phone\nAda,none\n",
    "a pasted list": "Ada Obi <+2345990000001>, Bayo Ade <+2345990000002>",
    "a title": "Customers\nphone,name\n+2345990000001,Ada\n",
    "a vCard": "BEGIN:VCARD\nTEL:+2345990000001\n",
    "several columns": "number,mobile\n1,+2345990000001\n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize(
    "options",
    mostly_long(
        [("--yes",), ("--dry-run",), ("--simulator",), ("--yes", "--campaign", "a"), ("--campaign", "a", "--load-only")]
    ),
    ids=" ".join,
)
def test_a_list_that_is_none_is_refused_everywhere(
    run: Run, account: Simulator, tmp_path: Path, text: str, options: tuple[str, ...]
) -> None:
    """What holds nobody to send to is exit code 2, however the list would be used, and nothing is sent."""
    people = tmp_path / "people.csv"
    people.write_text(text)
    result = run("bulk", "sms", people, "--message", "Hello", "--journal", tmp_path / "j.db", *options)
    assert result.code == 2
    assert not account.requests


@pytest.mark.parametrize(
    "options",
    [("--yes",), ("--simulator",), ("--campaign", "a", "--load-only"), ("--yes", "--campaign", "a")],
    ids=" ".join,
)
def test_numbers_without_plus_need_a_word(
    run: Run, account: Simulator, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Without a person to ask, whether numbers are international or national must be said, and then it is done."""
    people = tmp_path / "people.csv"
    people.write_text("phone\n2348031234567\n8031234568\n")
    send = ("bulk", "sms", people, "--message", "Hello", "--journal", tmp_path / "j.db", "-o", "json", *options)
    refused = run(*send)
    assert (refused.code, refused.json) == (2, None)
    assert "--international" in refused.err
    assert "--region" in refused.err
    assert "8031234568" not in refused.err
    assert not account.requests
    done = run(*send, "--region", "NG")
    assert done.code == 0
    assert (done.json["given"], done.json["doubtful"]) == (2, 0)


def test_the_plan_names_the_column_and_the_doubtful_numbers(run: Run, tmp_path: Path) -> None:
    """The first line says where the numbers are read, and a line says which may not be international."""
    people = tmp_path / "people.csv"
    people.write_text("id,mobile\n1,2348031234567\n2,+2348031234568\n")
    lines = run("estimate", "sms", people, "--message", "Hello").out.splitlines()
    assert lines[0] == f"List: {people} (CSV), 2 rows, numbers from column 'mobile'"
    assert lines[3].startswith("Doubtful: 1 without '+'")
    assert "'2348*******67' in row 1" in lines[3]


def test_columns_are_chosen_by_the_command(run: Run, account: Simulator, tmp_path: Path) -> None:
    """Several columns are tried in their order, and the suppress list has columns of its own."""
    people, stop = tmp_path / "people.csv", tmp_path / "stop.csv"
    people.write_text("mobile,phone\n,+2345990000001\n+2345990000002,+2345990000003\n+2345990000004,\n")
    stop.write_text("phone,mobile\n+2345990000009,+2345990000004\n")
    result = run(
        *("bulk", "sms", people, "--message", "Hello", "--yes", "--column", "mobile", "--column", "phone"),
        *("--suppress", stop, "--suppress-column", "phone", "--suppress-column", "mobile"),
    )
    assert result.code == 0
    assert set(account.ledger.charged) == {"+2345990000001", "+2345990000002"}


@pytest.mark.parametrize("link", mostly_long(["symbolic", None, "hard"]))
@pytest.mark.parametrize("target", ["people.csv", "stop.csv", "text.csv", "j.csv"])
def test_nothing_that_is_read_is_overwritten(
    run: Run, account: Simulator, tmp_path: Path, target: str, link: str | None
) -> None:
    """The report is not the list, the suppress list, the message file or the journal, by whatever name."""
    files = {"people.csv": "phone\n+2345990000001\n", "stop.csv": "phone\n+2345990000002\n", "text.csv": "Hello"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if target == "j.csv" and link is not None:
        (tmp_path / "j.csv").write_text("")
    report = tmp_path / (target if link is None else "link.csv")
    if link == "symbolic":
        report.symlink_to(tmp_path / target)
    elif link == "hard":
        report.hardlink_to(tmp_path / target)
    result = run(
        *("bulk", "sms", tmp_path / "people.csv", "--message-file", tmp_path / "text.csv", "--yes"),
        *("--suppress", tmp_path / "stop.csv", "--campaign", "a", "--journal", tmp_path / "j.csv", "--report", report),
    )
    assert result.code == 2
    assert "same file" in result.err
    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert not account.requests


def test_the_journal_is_no_list(run: Run, account: Simulator, tmp_path: Path) -> None:
    """A journal is written to as well: an empty list would become one."""
    people = tmp_path / "people.csv"
    people.write_text("phone\n+2345990000001\n")
    result = run(
        "bulk", "sms", people, "--message", "x", "--yes", "--campaign", "a", "--journal", f"sqlite:///{people}"
    )
    assert result.code == 2
    assert "the journal and the list are the same file" in result.err


def test_report_leads_to_no_device(run: Run, account: Simulator, people: Path, tmp_path: Path) -> None:
    """A link to a device is not followed, not even to /dev/null, whose mode would change."""
    report = tmp_path / "report.csv"
    report.symlink_to("/dev/null")
    result = run("bulk", "sms", people, "--message", "x", "--yes", "--report", report)
    assert result.code == 2
    assert "leads to a device" in result.err
    assert not account.requests
    with pytest.raises(InvalidRequestError, match="is a device"):
        BulkReport().to_csv(report)


def test_balance_does_not_cover(run: Run, account: Simulator, people: Path) -> None:
    """With --balance a plan that costs more than is there is not begun."""
    account.world.balances = account.world.balances.less(sms=Decimal(99_998))
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "--balance")
    assert result.code == 4
    assert "does not cover" in result.err
    assert account.ledger.posts("sendSMS") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--message", "a", "--template", "b"),
        ("--message", " "),
        ("--template", "Hi {"),
        ("--template", "Hi you"),
        ("--template", "Hi {nme}"),
        ("--template", "Hi {nme|you}"),
        ("--message", "Hi {name}"),
        ("--message", "Hi %name%"),
        ("--message", "a", "--rate", "fast"),
        ("--message", "a", "--chunk-size", "0"),
        ("--message", "a", "--max-in-flight", "0"),
        ("--message", "a", "--max-cost", "much"),
        ("--message", "a", "--report", "report.txt"),
        ("--message", "a", "--report", "nowhere/report.csv"),
        ("--message", "a", "--column", "telephone"),
        ("--message", "a", "--suppress", "nowhere.txt"),
        ("--message", "a", "--bogus"),
        ("--message", "Hello", "there"),
        ("--message-file", "nowhere.txt"),
    ],
    ids=" ".join,
)
def test_usage(run: Run, account: Simulator, people: Path, arguments: tuple[str, ...]) -> None:
    """Wrong usage is one line on stderr and exit code 2, and nothing is sent."""
    result = run("bulk", "sms", people, "--yes", *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("callsavvy: ")
    assert not account.requests


def test_whatsapp_needs_its_channel(run: Run, account: Simulator, people: Path) -> None:
    """A WhatsApp send names its channel, unless nothing is sent."""
    assert run("bulk", "whatsapp", people, "--message", "a", "--yes").code == 2
    assert run("bulk", "whatsapp", people, "--message", "a", "--dry-run").code == 0


def test_broken_file_sends_nothing(run: Run, account: Simulator, tmp_path: Path) -> None:
    """A fault in the last line is found before the first message leaves."""
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"name,phone\nAda,+2345990000001\nJos\xe9,+2345990000002\n")
    result = run("bulk", "sms", broken, "--message", "Hello", "--yes", "--chunk-size", 1)
    assert result.code == 2
    assert "line 3" in result.err
    assert not account.requests


# --------------------------------------------------------------------------------------------------------- exit codes


def test_unknown(run: Run, account: Simulator, people: Path) -> None:
    """A lost answer is exit code 3, and the send is not repeated."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json")
    assert (result.code, result.json["unknown"]) == (3, 3)
    assert account.ledger.posts("sendSMS") == 1


def test_failed(run: Run, account: Simulator, people: Path) -> None:
    """A send that the API calls failed is exit code 1."""
    account.faults.next("sendSMS", Fault.SEND_FAILED)
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json")
    assert (result.code, result.json["failed"]) == (1, 3)


@pytest.mark.parametrize("stop", ["balance", "budget"])
def test_money(run: Run, account: Simulator, people: Path, stop: str) -> None:
    """A run that stops at the balance or at --max-cost is exit code 4, the rest is pending."""
    if stop == "balance":
        account.world.balances = account.world.balances.less(sms=Decimal(99_999))
    limit = ("--max-cost", 1) if stop == "budget" else ()
    result = run(
        *("bulk", "sms", people, "--message", "Hello", "--yes", "-o", "json"),
        *("--chunk-size", 1, "--max-in-flight", 1, *limit),
    )
    assert (result.code, result.json["accepted"]) == (4, 1)
    assert account.ledger.totals.charged_recipients == 1


def test_wrong_keys(run: Run, account: Simulator, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused keys are exit code 5, and appear nowhere."""
    monkeypatch.setenv("CALLSAVVY_PRIVATE_KEY", "my-secret-key")
    result = run("bulk", "sms", people, "--message", "Hello", "--yes")
    assert result.code == 5
    assert "Check both keys" in result.err
    assert account.ledger.posts("sendSMS") == 0
    assert "my-secret-key" not in result.out + result.err


def test_missing_keys(run: Run, people: Path) -> None:
    """Missing keys are exit code 5, and named."""
    result = run("bulk", "sms", people, "--message", "Hello", "--yes")
    assert result.code == 5
    assert "CALLSAVVY_PRIVATE_KEY" in result.err


def test_a_folder_that_takes_no_report_is_refused_before_anything_is_sent(
    run: Run, account: Simulator, people: Path
) -> None:
    """/proc takes no file from anybody: known after the sending, it would have cost the report of who got what."""
    result = run("bulk", "sms", people, "--message", "Hello", "--yes", "--report", "/proc/report.csv")
    assert result.code == 2
    assert "name another file" in result.err
    assert not account.ledger.requests


# ------------------------------------------------------------------------------------------------------------ privacy


def test_nothing_personal_on_the_terminal(run: Run, account: Simulator, people: Path) -> None:
    """No number stands in what a run prints, and the message only in the plan that a person signs."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    for mode in ("--yes", "--dry-run"):
        result = run("bulk", "sms", people, "--message", "Your code is 4711", mode, "--chunk-size", 1)
        said = result.out + result.err
        assert "599000000" not in said
        assert (
            said.count("4711") == said.count("Text for everybody (1 segment, 1 unit each):\n    Your code is 4711") == 1
        )
