"""Sends: what they cost, what is left, what the ledger says about it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import httpx
import pytest

from callsavvy_async.simulator import WHATSAPP_UID, Fault, Simulator
from callsavvy_async.simulator.segments import segments

pytestmark = pytest.mark.anyio

HOME, ABROAD = "+2348012345678", "+447700900123"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 152 + "€" + "a" * 10, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("`" + "a" * 70, 2),
    ],
)
def test_segments(text: str, count: int) -> None:
    """A text takes 160 septets or 153 per part, else 70 code units or 67, and no character is cut in two."""
    assert segments(text) == count


async def test_an_sms_costs_a_unit_per_segment_and_recipient(call, sim) -> None:
    """Cost is segments times recipients, comes as text, and is taken off the SMS balance."""
    response = await call("sendSMS", recipient=f"{HOME},{ABROAD},{HOME}", message="a" * 161)
    assert response.json()["data"]["cost"] == "6"
    assert response.json()["data"]["status"] == "sent"
    assert (await call("getSummary")).json()["data"]["sms_balance"] == "994"
    assert sim.ledger.charged == Counter({HOME: 2, ABROAD: 1})


async def test_calls_are_charged_by_destination(call) -> None:
    """A robocall costs its minutes per recipient, a WhatsApp message one, local and international apart."""
    robocall = await call(
        "sendRobocall", call_type="Text-2-Speech", recipient=f"{HOME},{ABROAD},{ABROAD}", message="Hi", duration="1.5"
    )
    assert robocall.json()["data"]["cost"] == "4.5"
    whatsapp = await call("sendWhatsapp", uid=WHATSAPP_UID, recipient=f"{HOME},{ABROAD}", message="Hi")
    assert whatsapp.json()["data"] == {"status": "sent"}
    summary = (await call("getSummary")).json()["data"]
    assert summary["outbound_local_call_balance"] == "997.5"
    assert summary["outbound_international_call_balance"] == "996"


@pytest.mark.parametrize(
    ("resource", "params", "kind"),
    [
        ("sendSMS", {}, "SMS"),
        ("sendRobocall", {"call_type": "Text-2-Speech", "duration": "1"}, "local call"),
        ("sendWhatsapp", {"uid": WHATSAPP_UID}, "local call"),
    ],
)
async def test_without_balance_nothing_is_charged(call, sim, resource: str, params: dict[str, str], kind: str) -> None:
    """A send that costs more than is left is 402, wholly: no recipient is charged."""
    recipients = [f"+2348{number:09d}" for number in range(30)]
    sim.world.balances = Simulator(sms_balance=29, local_balance=29).world.balances
    before = sim.world.balances
    response = await call(resource, **params, recipient=",".join(recipients), message="Hi")
    assert (response.status_code, response.json()["message"]) == (402, f"Insufficient {kind} balance")
    assert sim.world.balances == before
    assert not sim.ledger.charged
    (entry,) = sim.ledger.requests
    assert (entry.charged, entry.status, entry.reason) == (False, 402, f"Insufficient {kind} balance")


async def test_each_destination_has_its_own_balance(call, sim) -> None:
    """Local minutes do not pay for international calls: all or nothing, also across the two."""
    sim.world.balances = Simulator(local_balance=100, international_balance=1).world.balances
    before = sim.world.balances
    response = await call("sendWhatsapp", uid=WHATSAPP_UID, recipient=f"{HOME},{ABROAD},{ABROAD}", message="Hi")
    assert (response.status_code, response.json()["message"]) == (402, "Insufficient international call balance")
    assert sim.world.balances == before


async def test_the_ledger_tells_every_send_that_was_read(call, sim) -> None:
    """Charged or not and why, to whom, for how much, under which id and fault; other resources are only counted."""
    sent = (await call("sendSMS", recipient=f"{HOME},{ABROAD}", message="Hi")).json()["data"]
    await call("sendSMS", recipient="+12", message="Hi")
    sim.faults.next("sendSMS", Fault.with_status(503))
    await call("sendSMS", recipient=HOME, message="Hi")
    await call("getSummary")
    charged, invalid, faulted = sim.ledger.requests
    assert (charged.recipients, charged.cost, charged.message_id) == ((HOME, ABROAD), Decimal(2), sent["message_id"])
    assert (charged.charged, charged.reason, charged.fault) == (True, "charged", "")
    assert (invalid.charged, invalid.reason, invalid.status) == (False, "Invalid recipient: +12", 422)
    assert (faulted.charged, faulted.reason, faulted.fault) == (False, "fault", "status-503, unprocessed")
    assert (faulted.recipients, faulted.cost, faulted.message_id) == ((HOME,), Decimal(0), "")
    assert charged.at == sim.world.now()
    totals = sim.ledger.totals
    assert (totals.requests, totals.charged_requests, totals.charged_recipients, totals.cost) == (3, 1, 2, 2)
    assert (sim.ledger.posts("sendSMS"), sim.ledger.posts("getSummary"), sim.ledger.posts("getCalls")) == (3, 1, 0)
    assert (sim.ledger.charged_count(HOME), sim.ledger.charged_count("+999999999")) == (1, 0)


async def test_a_request_without_good_keys_is_never_charged(client: httpx.AsyncClient, sim) -> None:
    """401 comes before everything that costs."""
    params = {"recipient": HOME, "message": "Hi"}
    response = await client.post("sendSMS", json=params, headers={"Public-Key": "wrong"})
    assert response.status_code == 401
    assert not sim.ledger.charged
    assert [entry.reason for entry in sim.ledger.requests] == ["Invalid API credentials"]


async def test_no_repr_tells_keys_numbers_or_texts(call, sim) -> None:
    """What tests print of the simulator holds no key, number or message."""
    await call("sendSMS", recipient=HOME, message="secret text")
    await call("sendSMS", recipient="+12", message="secret text")
    shown = f"{sim!r} {list(sim.requests)!r} {sim.ledger.requests!r} {sim.ledger!r}"
    assert not any(secret in shown for secret in (HOME, "+12", "secret text", "TEST-public", "TEST-private"))
