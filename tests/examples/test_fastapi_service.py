"""The FastAPI service over sockets: its sends, its events, its campaign and its end."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from callsavvy_async.simulator import Fault, Simulator, SimulatorServer, serve
from callsavvy_async.simulator.webhooks import post_event
from tests.examples.programs import SECRET, Program, assert_clean, people, running

pytestmark = [pytest.mark.long, pytest.mark.sockets]

NUMBER = "+2345990000001"


@pytest.fixture(scope="module")
def account() -> Iterator[SimulatorServer]:
    with serve(Simulator(sms_balance=1_000)) as server:
        yield server


@pytest.fixture(scope="module")
def service(account: SimulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running("fastapi_service", tmp_path_factory.mktemp("log") / "stderr", account=account) as program:
        yield program


@pytest.fixture
def http(service: Program) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=20, trust_env=False) as client:
        yield client


def figures(http: httpx.Client, until: Callable[[Any], bool]) -> Any:
    """Read the operator's event stream until its figures are as wanted."""
    with http.stream("GET", "/operator/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: ") and until(shown := json.loads(line[6:])):
                return shown
    raise AssertionError("the stream ended before")


def test_send(http: httpx.Client, account: SimulatorServer) -> None:
    """An accepted message is a 200 with id and cost, and charged once."""
    before = account.simulator.ledger.charged_count(NUMBER)
    answer = http.post("/sms", json={"recipient": NUMBER, "message": "Hello"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")
    assert Decimal(answer.json()["cost"]) == 1
    assert account.simulator.ledger.charged_count(NUMBER) == before + 1


@pytest.mark.parametrize(
    ("fault", "status", "outcome", "safe"),
    [
        (Fault.DROP_AFTER_READ, 202, "unknown", False),
        (Fault.with_status(502, body="html", processed=True), 202, "unknown", False),
        (Fault.SEND_FAILED, 202, "failed", False),
        (Fault.with_status(402), 409, "rejected", True),
        (Fault.with_status(401), 502, "rejected", True),
    ],
    ids=["dropped", "gateway", "failed", "balance", "keys"],
)
def test_honest_status(
    http: httpx.Client, account: SimulatorServer, fault: Fault, status: int, outcome: str, safe: bool
) -> None:
    """What may have been charged is a 2xx, so that nobody repeats it by himself; and the service itself never does."""
    before = account.simulator.ledger.posts("sendSMS")
    account.simulator.faults.next("sendSMS", fault)
    answer = http.post("/sms", json={"recipient": NUMBER, "message": "Hello"})
    body = answer.json()
    assert (answer.status_code, body["outcome"], body["safe_to_resend"]) == (status, outcome, safe)
    assert NUMBER not in answer.text
    assert account.simulator.ledger.posts("sendSMS") == before + 1


def test_bad_number(http: httpx.Client, account: SimulatorServer) -> None:
    """A number that breaks a rule is a 422 that teaches the fix, and nothing is sent."""
    before = account.simulator.ledger.posts("sendSMS")
    answer = http.post("/sms", json={"recipient": "0801 234 5678", "message": "Hello"})
    assert answer.status_code == 422
    assert "country code" in answer.json()["detail"]
    assert account.simulator.ledger.posts("sendSMS") == before


@pytest.mark.parametrize("path", ["/sms", "/operator/question", "/operator/campaign", "/operator/campaign/stop"])
def test_foreign_page(http: httpx.Client, account: SimulatorServer, path: str) -> None:
    """What a foreign page makes the operator's browser send is refused."""
    before = account.simulator.ledger.posts("sendSMS")
    body = {"recipient": NUMBER, "message": "Hello", "recipients": NUMBER, "campaign": "any"}
    answer = http.post(path, json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert account.simulator.ledger.posts("sendSMS") == before


def test_events(service: Program, http: httpx.Client) -> None:
    """Events that are posted to the callback URL are counted on the operator's page; a wrong secret opens nothing."""
    assert post_event(service.callback_url, "callSummary").result(60).status == 200
    assert post_event(service.callback_url, "newTicketOpened").result(60).status == 200
    bot = post_event(service.callback_url, "chatbotCallback").result(60)
    assert (bot.status, bot.body) == (200, b"We are open from nine to five.")
    wrong = service.callback_url.replace(SECRET, "a-guess-of-a-fair-length")
    assert post_event(wrong, "callSummary").result(60).status == 404
    wanted = {"callSummary": 1, "newTicketOpened": 1, "chatbotCallback": 1}
    assert figures(http, lambda shown: shown["events"] == wanted)


def ask(http: httpx.Client, recipients: object, message: str = "Hello") -> httpx.Response:
    """Ask for the plan of a new campaign."""
    return http.post("/operator/question", json={"message": message, "recipients": recipients})


def test_campaign(http: httpx.Client, account: SimulatorServer) -> None:
    """A campaign is planned, confirmed once, and reported; the file is in any format that the SDK reads."""
    numbers = people(45)
    before = account.simulator.ledger.totals.charged_recipients
    text = "name,phone\n" + "".join(f"Somebody,{number}\n" for number in [*numbers, "no number", numbers[0]])
    file = {"name": "list.csv", "content": b64encode(text.encode("utf-16")).decode()}
    question = ask(http, file, "Hello {name}").json()
    facts = dict(question["facts"])
    assert (question["people"], question["can_be_sent"], len(question["left_out"])) == (45, True, 2)
    assert facts["List"].startswith("list.csv (CSV")
    assert facts["List"].endswith("numbers from column 'phone'")
    assert account.simulator.ledger.totals.charged_recipients == before
    assert http.post("/operator/campaign", json={"campaign": "another"}).status_code == 409
    assert http.post("/operator/campaign", json={"campaign": question["campaign"]}).status_code == 202
    assert http.post("/operator/campaign", json={"campaign": question["campaign"]}).status_code == 409
    campaign = figures(http, lambda shown: (shown["campaign"] or {}).get("state") == "ended")["campaign"]
    assert {name: campaign[name] for name in ("total", "accepted", "skipped", "pending", "requests")} == {
        "total": 47,
        "accepted": 45,
        "skipped": 2,
        "pending": 0,
        "requests": 3,
    }
    assert account.simulator.ledger.totals.charged_recipients == before + 45
    assert len(http.get("/operator/campaign/report.csv").text.splitlines()) == 48


def test_a_second_attempt_for_the_unknown_is_confirmed(http: httpx.Client, account: SimulatorServer) -> None:
    """The question says in words that these people may get the message twice. Nothing else sends it again."""
    before = account.simulator.ledger.totals.charged_recipients
    account.simulator.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    name = ask(http, "\n".join(people(20))).json()["campaign"]
    assert http.post("/operator/campaign", json={"campaign": name}).status_code == 202

    def ended(shown: Any) -> bool:
        campaign = shown["campaign"] or {}
        return bool(campaign.get("name") == name and campaign["state"] == "ended")

    assert figures(http, ended)["campaign"]["unknown"] == 20
    rest = http.post("/operator/question/rest", json={"campaign": name}).json()
    assert (rest["people"], rest["can_be_sent"]) == (0, False)
    again = http.post("/operator/question/rest", json={"campaign": name, "resend": "unknown"}).json()
    assert again["people"] == 20
    assert "20 of these people may get the message a second time, and you may pay twice" in again["warnings"][1]
    assert http.post("/operator/campaign", json={"campaign": name}).status_code == 202
    assert figures(http, lambda shown: ended(shown) and shown["campaign"]["unknown"] == 0)["campaign"]["accepted"] == 20
    assert account.simulator.ledger.totals.charged_recipients - before in {20, 40}


def test_too_expensive(http: httpx.Client) -> None:
    """A plan that the balance does not cover is shown, and cannot be confirmed."""
    question = ask(http, "\n".join(people(2_000))).json()
    assert "does not cover" in dict(question["facts"])["Units"]
    assert not question["can_be_sent"]
    assert http.post("/operator/campaign", json={"campaign": question["campaign"]}).status_code == 409


def test_bad_list(http: httpx.Client) -> None:
    """A list that cannot be read is refused whole, with the line and the fix."""
    answer = ask(http, f'{{"phone": "{NUMBER}"}}\n{{"phone": \n')
    assert answer.status_code == 422
    assert "line 2" in answer.json()["detail"]


def test_log(service: Program) -> None:
    """The log of all that holds no number, no secret, no warning and no error."""
    assert "POST /hooks/" in service.log
    assert_clean(service.log)


@pytest.mark.long
def test_stop_under_load(tmp_path: Any) -> None:
    """SIGTERM amid a campaign: what is on the wire is waited for, the report adds up and agrees with the ledger."""
    simulator = Simulator(sms_balance=10_000, latency=0.3)
    simulator.faults.rule(Fault.DROP_AFTER_READ, resource="sendSMS", probability=0.2)
    with (
        serve(simulator) as account,
        running("fastapi_service", tmp_path / "stderr", account=account) as program,
        httpx.Client(base_url=program.url, timeout=20, trust_env=False) as http,
        http.stream("GET", "/operator/events") as watcher,
    ):
        numbers = people(2_000)
        name = ask(http, "\n".join(numbers)).json()["campaign"]
        assert http.post("/operator/campaign", json={"campaign": name}).status_code == 202
        while simulator.ledger.totals.charged_requests < 10:
            time.sleep(0.02)
        assert program.stop() == 0
        assert list(watcher.iter_lines())  # the watcher's stream ended in order
        report, ledger = program.final_report, simulator.ledger
    assert report["stopped"] == "the run was stopped"
    assert report["accepted"] + report["unknown"] + report["pending"] == report["given"] == len(numbers)
    assert report["accepted"] + report["unknown"] == ledger.totals.charged_recipients < len(numbers)
    assert report["unknown"] == sum(len(entry.recipients) for entry in ledger.requests if entry.fault)
    assert max(ledger.charged.values()) == 1
    assert_clean(program.log)


@pytest.mark.long
def test_one_command(tmp_path: Any) -> None:
    """``--simulator`` is all that it needs."""
    with running("fastapi_service", tmp_path / "stderr") as program:
        answer = httpx.post(f"{program.url}/sms", json={"recipient": NUMBER, "message": "Hello"}, trust_env=False)
        assert answer.status_code in {200, 202}
        assert program.stop() == 0
