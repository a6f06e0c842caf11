"""Every endpoint row of the SDK, found by itself, called over sockets, its wire names read back from the server.

The simulator was written from the API's document alone, so names that both know are the document's names. A new row
fails here until it has its case.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args, get_origin

import attrs
import pytest

from callsavvy_async import Callsavvy, models, resources
from callsavvy_async.simulator import ENDPOINTS, WHATSAPP_UID, Simulator
from callsavvy_async.values import CallDirection, TicketStatus
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Receipt

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, pytest.mark.every_backend(quick=1)]

NUMBER = "+2348012345678"


def find_rows() -> dict[str, Endpoint[Any]]:
    """Walk the resource modules and collect every endpoint row."""
    found: dict[str, Endpoint[Any]] = {}
    for module in pkgutil.iter_modules(resources.__path__, f"{resources.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Endpoint):
                found[value.resource] = value
    return found


ROWS = find_rows()


def first(table: dict[str, Any]) -> str:
    return next(iter(table))


@attrs.frozen
class Case:
    """A call with every parameter, and what the server must have received."""

    call: Callable[[Callsavvy, Simulator], Awaitable[Any]]
    sent: Callable[[Simulator], dict[str, str]] = lambda _: {}


CASES: dict[str, Case] = {
    "getSummary": Case(lambda client, _: client.account.summary()),
    "getDepartments": Case(lambda client, _: client.account.departments()),
    "getCategories": Case(lambda client, _: client.account.categories()),
    "getAgents": Case(lambda client, _: client.account.agents()),
    "getTickets": Case(
        lambda client, sim: client.tickets.list(
            department_id=first(sim.world.departments),
            status=TicketStatus.AWAITING_AGENT_REPLY,
            sender_email="ada@example.com",
            period="2026-11",
        ),
        lambda sim: {
            "department_id": first(sim.world.departments),
            "ticket_status": "Awaiting Agent Reply",
            "sender_email": "ada@example.com",
            "datetime": "2026-11",
        },
    ),
    "getTicketConversation": Case(
        lambda client, sim: client.tickets.conversation(first(sim.world.tickets)),
        lambda sim: {"ticket_id": first(sim.world.tickets)},
    ),
    "createTicket": Case(
        lambda client, sim: client.tickets.create(
            department_id=first(sim.world.departments),
            sender_name="Ada",
            sender_email="ada@example.com",
            subject="Broken",
            message="It does not work",
        ),
        lambda sim: {
            "department_id": first(sim.world.departments),
            "sender_name": "Ada",
            "sender_email": "ada@example.com",
            "ticket_subject": "Broken",
            "ticket_message": "It does not work",
        },
    ),
    "replyTicket": Case(
        lambda client, sim: client.tickets.reply(
            first(sim.world.tickets),
            message="We look at it",
            agent_id=first(sim.world.agents),
            replied_at=datetime(2026, 11, 22, 8, 15, 0, 999),  # noqa: DTZ001 - as the API's own
        ),
        lambda sim: {
            "ticket_id": first(sim.world.tickets),
            "replying_agent_id": first(sim.world.agents),
            "response_date": "2026-11-22 08:15:00",
            "response_message": "We look at it",
        },
    ),
    "getCalls": Case(
        lambda client, sim: client.calls.list(
            department_id=first(sim.world.departments),
            category_id=first(sim.world.categories),
            direction=CallDirection.INCOMING,
            period=datetime(2026, 11, 22, 8, 15),  # noqa: DTZ001 - as the API's own
        ),
        lambda sim: {
            "department_id": first(sim.world.departments),
            "category": first(sim.world.categories),
            "call_direction": "Incoming",
            "datetime": "2026-11-22 08:15:00",
        },
    ),
    "getChats": Case(
        lambda client, sim: client.chats.list(department_id=first(sim.world.departments), period="2026-11-22"),
        lambda sim: {"department_id": first(sim.world.departments), "datetime": "2026-11-22"},
    ),
    "getMessangers": Case(
        lambda client, sim: client.chats.messengers(department_id=first(sim.world.departments), period="2026-11"),
        lambda sim: {"department_id": first(sim.world.departments), "datetime": "2026-11"},
    ),
    "sendSMS": Case(
        lambda client, _: client.messaging.send_sms([NUMBER, "00 44 7700 900123"], "Hello", sender_id="ADA"),
        lambda _: {"recipient": f"{NUMBER},+447700900123", "message": "Hello", "sender_id": "ADA"},
    ),
    "sendRobocall": Case(
        lambda client, _: client.messaging.send_robocall(
            NUMBER, duration_minutes=Decimal("1.50"), audio_url="https://example.com/hello.mp3"
        ),
        lambda _: {
            "call_type": "Pre-recorded-Audio",
            "recipient": NUMBER,
            "message": "https://example.com/hello.mp3",
            "duration": "1.5",
        },
    ),
    "sendWhatsapp": Case(
        lambda client, _: client.messaging.send_whatsapp(NUMBER, "Hello", channel_uid=WHATSAPP_UID),
        lambda _: {"uid": WHATSAPP_UID, "recipient": NUMBER, "message": "Hello"},
    ),
    "listMeetings": Case(lambda client, _: client.meetings.list(period="2026-11"), lambda _: {"datetime": "2026-11"}),
    "getMeeting": Case(
        lambda client, sim: client.meetings.get(first(sim.world.meetings)),
        lambda sim: {"meeting_id": first(sim.world.meetings)},
    ),
    "createMeeting": Case(
        lambda client, sim: client.meetings.create("Kick-off", host_agent_id=first(sim.world.agents)),
        lambda sim: {"title": "Kick-off", "host_agent_id": first(sim.world.agents)},
    ),
    "getContacts": Case(
        lambda client, sim: client.contacts.list(group_id=first(sim.world.groups)),
        lambda sim: {"group_id": first(sim.world.groups)},
    ),
    "getContactGroups": Case(lambda client, _: client.contacts.groups()),
    "createContact": Case(
        lambda client, sim: client.contacts.create(
            "Ada", email="ada@example.com", phone=NUMBER, group_id=first(sim.world.groups)
        ),
        lambda sim: {"name": "Ada", "email": "ada@example.com", "phone": NUMBER, "group_id": first(sim.world.groups)},
    ),
    "deleteContact": Case(
        lambda client, sim: client.contacts.delete(first(sim.world.contacts)),
        lambda sim: {"contact_id": first(sim.world.contacts)},
    ),
}

SPENDS = {name for name, endpoint in ENDPOINTS.items() if endpoint.spends}
WRITES = {"createTicket", "replyTicket", "createMeeting", "createContact"}


def test_every_row_has_its_call() -> None:
    """The rows found in the code, the cases here and the simulator's endpoints are the same; their types are public."""
    assert ROWS.keys() == CASES.keys() == ENDPOINTS.keys()
    returned = {get_args(row.returns)[0] if get_origin(row.returns) is tuple else row.returns for row in ROWS.values()}
    assert {model.__name__ for model in returned} <= set(models.__all__)


@pytest.mark.parametrize("resource", ENDPOINTS)
def test_effects(resource: str) -> None:
    """Effects are as semantics has them: three spend, four write, one is idempotent, the rest read."""
    expected = (
        Effect.SPEND
        if resource in SPENDS
        else Effect.WRITE
        if resource in WRITES
        else Effect.IDEMPOTENT
        if resource == "deleteContact"
        else Effect.READ
    )
    assert ROWS[resource].effect is expected
    assert ROWS[resource].effect.retryable is (expected in {Effect.READ, Effect.IDEMPOTENT})


@pytest.mark.parametrize("resource", ENDPOINTS)
def test_what_changes_something_answers_a_receipt(resource: str) -> None:
    """What changes something answers a Receipt, which can always be read; what reads, a public model."""
    returns = ROWS[resource].returns
    model = get_args(returns)[0] if get_origin(returns) is tuple else returns
    assert issubclass(model, Receipt) is (ROWS[resource].effect is not Effect.READ)
    assert model.__name__ in models.__all__


@pytest.mark.parametrize("resource", CASES)
async def test_call(resource: str, client: Callsavvy, sim: Simulator) -> None:
    """The call reaches its endpoint with every parameter under the document's name, and its answer is read whole."""
    case, row = CASES[resource], ROWS[resource]
    wanted = case.sent(sim)
    value = await case.call(client, sim)
    request = sim.requests[-1]
    assert (request.method, request.path) == ("POST", f"/v1/{resource}")
    assert json.loads(request.body) == wanted
    assert wanted.keys() == {parameter.name for parameter in ENDPOINTS[resource].parameters}
    if get_origin(row.returns) is tuple:
        assert isinstance(value, tuple)
        assert all(isinstance(item, get_args(row.returns)[0]) for item in value)
    else:
        assert isinstance(value, row.returns)
    for item in value if isinstance(value, tuple) else (value,):
        assert not item.extra, "a field that the document names was not read"


FULL_LISTS: dict[str, Callable[[Callsavvy], Awaitable[tuple[Any, ...]]]] = {
    "departments": lambda client: client.account.departments(),
    "categories": lambda client: client.account.categories(),
    "agents": lambda client: client.account.agents(),
    "tickets": lambda client: client.tickets.list(),
    "calls": lambda client: client.calls.list(),
    "chats": lambda client: client.chats.list(),
    "messengers": lambda client: client.chats.messengers(),
    "meetings": lambda client: client.meetings.list(),
    "contacts": lambda client: client.contacts.list(),
    "groups": lambda client: client.contacts.groups(),
}


@pytest.mark.parametrize("table", FULL_LISTS)
async def test_lists_are_read_whole(table: str, client: Callsavvy, sim: Simulator) -> None:
    """Every row that the server has comes, with its id, in its order, and no field is lost."""
    rows = await FULL_LISTS[table](client)
    ids = [getattr(row, attrs.fields(type(row))[1].name) for row in rows]
    assert ids == list(getattr(sim.world, table))
    for row in rows:
        assert not row.extra
        shown = {field.name: getattr(row, field.name) for field in attrs.fields(type(row))}
        sent = getattr(sim.world, table)[shown[attrs.fields(type(row))[1].name]]
        filled = sum(value not in (None, "", (), {}) for value in shown.values())
        optional_links = {"host_agent_id", "start_link", "join_link"} if table == "meetings" else set()
        assert filled == sum(bool(value) for name, value in sent.items() if name not in optional_links)


async def test_optional_parameters_stay_out(client: Callsavvy, sim: Simulator) -> None:
    """What is not given is not sent."""
    await client.tickets.list()
    await client.messaging.send_sms(NUMBER, "Hello")
    assert [json.loads(request.body) for request in sim.requests] == [{}, {"recipient": NUMBER, "message": "Hello"}]
