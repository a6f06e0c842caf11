"""sendSMS, sendRobocall, sendWhatsapp: the requests that cost money.

The document gives no prices, so these are assumptions: an SMS costs one unit per segment and recipient, a robocall its
minutes per recipient, a WhatsApp message one call minute per recipient. The number's prefix decides between local and
international. A request is charged completely or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from callsavvy_async.simulator import checks
from callsavvy_async.simulator.handlers.directory import plain
from callsavvy_async.simulator.responses import Json
from callsavvy_async.simulator.segments import segments
from callsavvy_async.simulator.state import World


@dataclass(frozen=True, slots=True)
class Charge:
    """The cost of a send, and the data of its response."""

    cost: Decimal
    data: Mapping[str, Json]
    message_id: str = ""
    """Empty for WhatsApp: the API returns none."""


def send_sms(world: World, params: Mapping[str, str]) -> Charge:
    """Send one text to all recipients."""
    cost = Decimal(segments(params["message"]) * (params["recipient"].count(",") + 1))
    world.balances = world.balances.less(sms=cost)
    return _charge(world, cost)


def send_robocall(world: World, params: Mapping[str, str]) -> Charge:
    """Call all recipients for the requested number of minutes."""
    if params["call_type"] == "Pre-recorded-Audio":
        checks.audio_url("message", params["message"])
    return _charge(world, _spend_calls(world, params["recipient"], units=Decimal(params["duration"])))


def send_whatsapp(world: World, params: Mapping[str, str]) -> Charge:
    """Send one message to all recipients through one of the business's channels."""
    if params["uid"] not in world.whatsapp_uids:
        raise checks.invalid("uid", params["uid"])
    cost = _spend_calls(world, params["recipient"], units=Decimal(1))
    return Charge(cost, {"status": "sent"})


def _spend_calls(world: World, recipients: str, *, units: Decimal) -> Decimal:
    numbers = recipients.split(",")
    local = sum(number.startswith(world.home_prefix) for number in numbers)
    international = len(numbers) - local
    world.balances = world.balances.less(local=local * units, international=international * units)
    return len(numbers) * units


def _charge(world: World, cost: Decimal) -> Charge:
    message_id = world.message_id()
    return Charge(cost, {"message_id": message_id, "cost": plain(cost), "status": "sent"}, message_id)
