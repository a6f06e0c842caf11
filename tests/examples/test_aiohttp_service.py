"""The aiohttp service over sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from callsavvy_async.simulator import Fault, Simulator, SimulatorServer, serve
from callsavvy_async.simulator.webhooks import post_event
from tests.examples.programs import Program, assert_clean, people, running

pytestmark = [pytest.mark.long, pytest.mark.sockets]

NUMBER = "+2345990000001"


@pytest.fixture
def account() -> Iterator[SimulatorServer]:
    with serve(Simulator(sms_balance=10_000, latency=0.2)) as server:
        yield server


@pytest.fixture
def service(account: SimulatorServer, tmp_path: Path) -> Iterator[Program]:
    with running("aiohttp_service", tmp_path / "stderr", account=account) as program:
        yield program


@pytest.fixture
def http(service: Program) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=20, trust_env=False) as client:
        yield client


def test_sends_and_events(service: Program, http: httpx.Client, account: SimulatorServer) -> None:
    """A message is answered by what became of it, a foreign page's is refused, and an event is counted."""
    sms = {"recipient": NUMBER, "message": "Hello"}
    assert http.post("/sms", json=sms).json()["outcome"] == "accepted"
    account.simulator.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    lost = http.post("/sms", json=sms)
    assert (lost.status_code, lost.json()["outcome"]) == (202, "unknown")
    assert http.post("/sms", json={**sms, "recipient": "0801"}).status_code == 422
    assert http.post("/sms", json=sms, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert account.simulator.ledger.posts("sendSMS") == 2
    assert post_event(service.callback_url, "callSummary").result(60).status == 200
    assert post_event(f"{service.url}/hooks/a-guess-of-a-fair-length", "callSummary").result(60).status == 404
    ended = time.monotonic() + 60
    while not http.get("/campaign").json()["calls"]:
        assert time.monotonic() < ended
    assert service.stop() == 0
    assert_clean(service.log)


@pytest.mark.long
@pytest.mark.parametrize("by", [pytest.param("signal", marks=pytest.mark.long), "request"])
def test_stop_under_load(service: Program, http: httpx.Client, account: SimulatorServer, by: str) -> None:
    """A campaign that is stopped waits for what is on the wire; its report adds up and agrees with the ledger."""
    ledger = account.simulator.ledger
    assert http.post("/campaign", json={"message": "Hello", "recipients": people(2_000)}).status_code == 202
    assert http.post("/campaign", json={"message": "Hello", "recipients": [NUMBER]}).status_code == 409
    while ledger.totals.charged_requests < 10:
        time.sleep(0.02)
    if by == "request":
        assert http.post("/campaign/stop").status_code == 202
    assert service.stop() == 0
    report = service.final_report
    assert report["accepted"] + report["pending"] == report["given"] == 2_000
    assert report["accepted"] == ledger.totals.charged_recipients < 2_000
    assert_clean(service.log)


@pytest.mark.long
def test_one_command(tmp_path: Path) -> None:
    """``--simulator`` is all that it needs."""
    with running("aiohttp_service", tmp_path / "stderr") as program:
        sms = {"recipient": NUMBER, "message": "Hello"}
        assert httpx.post(f"{program.url}/sms", json=sms, trust_env=False).json()["outcome"] == "accepted"
        assert program.stop() == 0
