"""The screen pop: who calls, answered from contacts in memory."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from callsavvy_async.simulator import Fault, Simulator, serve
from callsavvy_async.simulator.webhooks import post_event
from tests.examples.programs import Program, running

pytestmark = [pytest.mark.long, pytest.mark.sockets]

KNOWN = "+2348033344400"
NEW = "+2348033344499"
STRANGER = {"status": "success", "caller_name": "", "caller_email": "", "customer_info": ""}


def who(program: Program, number: str) -> Any:
    """Let the phone ring, and return what its screen is told."""
    answer = post_event(program.callback_url, "callerInformation", {"caller_number": number}).result(60)
    assert answer.status == 200
    return json.loads(answer.body)


def test_who(tmp_path: Path) -> None:
    """A contact is known from the first ring on, a stranger is nobody, and no call of the API is made in between."""
    simulator = Simulator()
    with serve(simulator) as account, running("screen_pop", tmp_path / "stderr", account=account) as program:
        assert who(program, KNOWN)["caller_name"] == "John Doe"
        assert who(program, f"00{KNOWN[1:]}")["caller_name"] == "John Doe"
        for number in (NEW, "", "anonymous"):
            assert who(program, number) == STRANGER
        assert simulator.ledger.posts("getContacts") == 1
        assert KNOWN not in program.log


def test_refreshed(tmp_path: Path) -> None:
    """A new contact is known after the next refresh, and what is known stays while the API is down."""
    simulator = Simulator()
    with (
        serve(simulator) as account,
        running("screen_pop", tmp_path / "stderr", "--refresh-every", "0.2", account=account) as program,
    ):
        assert who(program, NEW) == STRANGER
        key = next(iter(simulator.world.contacts))
        simulator.world.contacts["new"] = {**simulator.world.contacts[key], "name": "Ada Obi", "phone": NEW}
        ended = time.monotonic() + 60
        while who(program, NEW) == STRANGER:
            assert time.monotonic() < ended
            time.sleep(0.05)
        simulator.faults.rule(Fault.with_status(403), resource="getContacts")
        while "contacts not refreshed" not in program.log:
            assert time.monotonic() < ended
            time.sleep(0.05)
        assert who(program, NEW)["caller_name"] == "Ada Obi"


@pytest.mark.long
def test_one_command(tmp_path: Path) -> None:
    """``--simulator`` is all that it needs."""
    with running("screen_pop", tmp_path / "stderr") as program:
        assert who(program, KNOWN)["caller_name"] == "John Doe"
