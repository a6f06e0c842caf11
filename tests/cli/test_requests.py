"""Commands that make one request: read, send, write, and any resource by its name."""

from __future__ import annotations

import csv
import io
import json

import pytest

from callsavvy_async.cli import reading, sending, writing
from callsavvy_async.simulator import ENDPOINTS, Fault, Simulator
from tests.profiles import mostly_long

from .harness import Run, commands, sample_arguments

_LISTS = [
    ("departments",),
    ("categories",),
    ("agents",),
    ("tickets", "list"),
    ("calls", "list"),
    ("chats", "list"),
    ("chats", "messengers"),
    ("contacts", "list"),
    ("contacts", "groups"),
]


@pytest.mark.parametrize("words", _LISTS, ids=" ".join)
def test_lists(run: Run, account: Simulator, words: tuple[str, ...]) -> None:
    """A list is the same as a table, as JSON and as CSV."""
    rows = run(*words, "-o", "json").json
    table = list(csv.DictReader(io.StringIO(run(*words, "-o", "csv").out)))
    lines = run(*words).out.splitlines()
    assert len(rows) == len(table) == len(lines) - 1 > 0
    assert [*rows[0]] == [*table[0]] == lines[0].split()
    first = next(iter(rows[0].values()))
    assert (next(iter(table[0].values())), lines[1].split()[0]) == (first, first)


def test_filters(run: Run, account: Simulator) -> None:
    """Filters reach the API under its own names."""
    run("tickets", "list", "--department-id", "d", "--status", "new", "--sender-email", "a@b.example")
    run("calls", "list", "--department-id", "d", "--category-id", "c", "--direction", "incoming", "--period", "2026-11")
    run("chats", "list", "--period", "2026-11-22")
    run("chats", "messengers", "--department-id", "d")
    run("contacts", "list", "--group-id", "g")
    run("meetings", "list", "--period", "2026-11")
    assert [json.loads(request.body) for request in account.requests] == [
        {"department_id": "d", "ticket_status": "New", "sender_email": "a@b.example"},
        {"department_id": "d", "category": "c", "call_direction": "Incoming", "datetime": "2026-11"},
        {"datetime": "2026-11-22"},
        {"department_id": "d"},
        {"group_id": "g"},
        {"datetime": "2026-11"},
    ]


def test_balance(run: Run, account: Simulator) -> None:
    """The balance is a line for each figure, or one object."""
    assert "sms_balance" in run("balance").out
    assert run("balance", "-o", "json").json["sms_balance"] == 100_000


def test_ticket(run: Run, account: Simulator) -> None:
    """A ticket that was opened can be answered, and both are read back."""
    department = run("departments", "-o", "json").json[0]["department_id"]
    ticket = run(
        *("tickets", "create", "--department-id", department, "--sender-name", "Ada", "--subject", "Bill"),
        *("--sender-email", "ada@a.example", "--message", "It is wrong.", "-o", "json"),
    ).json["ticket_id"]
    agent = run("agents", "-o", "json").json[0]["agent_id"]
    replied = run("tickets", "reply", ticket, "--message", "Sorry.", "--agent-id", agent, "--replied-at", "2026-11-22")
    assert replied.code == 0
    messages = run("tickets", "conversation", ticket, "-o", "json").json
    assert [message["message"] for message in messages] == ["It is wrong.", "Sorry."]
    assert messages[1]["sent_at"] == "2026-11-22 00:00:00"


def test_meeting(run: Run, account: Simulator) -> None:
    """A meeting that was created is read back with its links."""
    created = run("meetings", "create", "Review", "-o", "json").json
    read = run("meetings", "get", created["meeting_id"], "-o", "json").json
    assert (read["title"], read["start_link"]) == ("Review", created["start_link"])
    assert run("meetings", "list", "-o", "json").json


def test_contact(run: Run, account: Simulator) -> None:
    """A contact is created and deleted."""
    created = run("contacts", "create", "Ada", "--phone", "00234 599 000 0001", "-o", "json").json
    assert json.loads(account.requests[-1].body)["phone"] == "00234 599 000 0001"
    assert run("contacts", "delete", created["contact_id"]).code == 0
    assert created["contact_id"] not in run("contacts", "list", "-o", "csv").out
    assert run("contacts", "create", "Ada").code == 2


# --------------------------------------------------------------------------------------------------------------- send


def test_send(run: Run, account: Simulator) -> None:
    """One request for all numbers, and its receipt on stdout."""
    sms = run("send", "sms", "+2345990000001", "+2345990000002", "--message", "Hi", "--sender-id", "ACME", "-o", "json")
    chat = run("send", "whatsapp", "+2345990000001", "--message", "Hi", "--channel-uid", "TEST-whatsapp")
    call = run("send", "robocall", "+2345990000001", "--message", "Hi", "--duration-minutes", 2, "-o", "csv")
    assert (sms.code, chat.code, call.code) == (0, 0, 0)
    assert (sms.json["cost"], sms.json["status"]) == (2, "sent")
    assert account.ledger.charged == {"+2345990000001": 3, "+2345990000002": 1}


def test_a_placeholder_is_not_sent(run: Run, account: Simulator) -> None:
    """A text that is typed is checked for placeholders, also for one person, unless they are literal."""
    command = ("send", "sms", "+2345990000001", "--message", "Hi {first_name}")
    assert run(*command).code == 2
    assert not account.requests
    assert run(*command, "--literal").code == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.SEND_FAILED, 1),
        (Fault.with_status(402), 4),
        (Fault.with_status(422), 1),
        (Fault.with_status(403), 5),
        (Fault.DROP_AFTER_READ, 3),
    ],
    ids=str,
)
def test_send_exit_codes(run: Run, account: Simulator, fault: Fault, code: int) -> None:
    """The exit code of a single send says what is known of it; it is made once."""
    account.faults.next("sendSMS", fault)
    assert run("send", "sms", "+2345990000001", "--message", "Hi").code == code
    assert account.ledger.posts("sendSMS") == 1


def test_errors_are_masked(run: Run, account: Simulator) -> None:
    """An error is one line, without the number and the text."""
    result = run("send", "sms", "+23459900", "2345990000001,2345990000002", "--message", "secret text")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "599000000" not in result.err
    assert "secret" not in result.err


def test_unquoted_text_is_not_repeated(run: Run) -> None:
    """A text that lost its quotes is no reason to print it."""
    result = run("meetings", "create", "Our", "secret", "plan")
    assert result.code == 2
    assert "2 arguments too many" in result.err
    assert "secret" not in result.err


# ---------------------------------------------------------------------------------------------------------------- api


def test_api(run: Run, account: Simulator) -> None:
    """The answer is printed as it came, with the API's own names."""
    answer = run("api", "getTickets", "-d", "ticket_status=New", "--data", "datetime=2026-11", "-o", "json").json
    assert answer["resource"] == "getTickets"
    assert json.loads(account.requests[-1].body) == {"ticket_status": "New", "datetime": "2026-11"}


@pytest.mark.parametrize("resource", mostly_long(sorted(ENDPOINTS), quick=7))
def test_api_knows_effects(run: Run, account: Simulator, resource: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read is repeated after a lost answer; whatever changes something or is not known is not."""
    monkeypatch.setattr("random.random", lambda: 0.0)  # no pause before the second try
    account.faults.next(resource, Fault.DROP_UNPROCESSED)
    code = run("api", resource).code
    harmless = resource.startswith(("get", "list")) or resource == "deleteContact"
    assert account.ledger.posts(resource) == (2 if harmless else 1)
    assert (code == 3) is not harmless


def test_api_unknown_resource(run: Run, account: Simulator) -> None:
    """A resource of which nothing is known is treated as one that costs money."""
    account.faults.next("getFuture", Fault.DROP_UNPROCESSED)
    assert run("api", "getFuture").code == 3
    assert account.ledger.posts("getFuture") == 1
    assert run("api", "getFuture").code == 1
    assert run("api", "getSummary", "-d", "novalue").code == 2


def test_api_without_json(run: Run, account: Simulator) -> None:
    """A send whose answer is no JSON is unknown; a deletion that a gateway's page proves is printed as it came."""
    account.faults.next("sendSMS", Fault.HTML_RESPONSE)
    assert run("api", "sendSMS", "-d", "recipient=+2345990000001", "-d", "message=Hi").code == 3
    account.faults.next("deleteContact", Fault.DROP_AFTER_READ)
    account.faults.next("deleteContact", Fault.with_status(404, body="html"))
    result = run("api", "deleteContact", "-d", "contact_id=c")
    assert (result.code, result.out[:1]) == (0, "<")


def test_every_endpoint_has_a_command(run: Run, account: Simulator) -> None:
    """The commands that ask the API one thing reach all its endpoints; a new endpoint fails here until it has one."""
    for words, command in commands():
        if command.__module__ in {reading.__name__, writing.__name__, sending.__name__}:
            run(*words, *sample_arguments(command, account.world))
    assert {request.resource for request in account.requests} == {*ENDPOINTS}
