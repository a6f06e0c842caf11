"""What calls change, and what later calls see of it."""

from __future__ import annotations

from datetime import datetime

import pytest

from callsavvy_async.simulator import Simulator
from tests.profiles import mostly_long

pytestmark = pytest.mark.anyio

NUMBER = "+2348012345678"
NOW = "2024-03-13 15:00:48"


async def test_the_same_seed_gives_the_same_business() -> None:
    """Records depend on seed and clock alone."""

    def business(seed: int) -> object:
        world = Simulator(seed=seed, now=lambda: datetime(2024, 3, 13)).world  # noqa: DTZ001
        return world.tickets, world.conversations, world.calls, world.meetings, world.contacts

    assert business(1) == business(1)
    assert business(1) != business(2)


async def test_a_ticket_lives(call, sim) -> None:
    """A ticket that was created is listed as New, and each reply turns its status and joins its conversation."""
    department, agent = next(iter(sim.world.departments)), next(iter(sim.world.agents))
    created = await call(
        "createTicket",
        department_id=department,
        sender_name="Ann",
        sender_email="ann@example.org",
        ticket_subject="Bill",
        ticket_message="Too high",
    )
    ticket_id = created.json()["data"]["ticket_id"]
    (listed,) = (await call("getTickets", sender_email="ANN@example.org")).json()["data"]
    assert listed == {
        "ticket_id": ticket_id,
        "datetime": NOW,
        "ticket_status": "New",
        "last_reply": "",
        "subject": "Bill",
        "sender_name": "Ann",
        "sender_email": "ann@example.org",
        "department_id": department,
    }
    reply = {"ticket_id": ticket_id, "response_date": "2024-03-14 09:00:00", "response_message": "Sorry"}
    answered = await call("replyTicket", **reply, replying_agent_id=agent)
    assert answered.json()["data"]["new_status"] == "Awaiting Customer Reply"
    assert (await call("replyTicket", **reply)).json()["data"]["new_status"] == "Awaiting Agent Reply"
    messages = (await call("getTicketConversation", ticket_id=ticket_id)).json()["data"]
    assert [message["from_agent"] for message in messages] == ["false", "true", "false"]
    assert [message["message"] for message in messages] == ["Too high", "Sorry", "Sorry"]
    (listed,) = (await call("getTickets", sender_email="ann@example.org")).json()["data"]
    assert (listed["ticket_status"], listed["last_reply"]) == ("Awaiting Agent Reply", "2024-03-14 09:00:00")


async def test_a_contact_can_be_deleted_once(call) -> None:
    """A contact exists from its creation until it is deleted; the second delete is 404."""
    contact_id = (await call("createContact", name="Ann", phone=NUMBER)).json()["data"]["contact_id"]
    assert contact_id in {row["contact_id"] for row in (await call("getContacts")).json()["data"]}
    assert (await call("deleteContact", contact_id=contact_id)).json()["data"] == {"contact_id": contact_id}
    again = await call("deleteContact", contact_id=contact_id)
    assert (again.status_code, again.json()["message"]) == (404, "Contact not found")
    assert contact_id not in {row["contact_id"] for row in (await call("getContacts")).json()["data"]}


async def test_a_contact_needs_one_way_to_be_reached(call) -> None:
    """Email or phone is enough, neither is refused."""
    assert (await call("createContact", name="Ann", email="ann@example.org")).status_code == 200
    refused = await call("createContact", name="Ann")
    assert refused.json()["message"] == "Missing required parameter: email or phone"


async def test_a_meeting_exists_once_created(call) -> None:
    """A new meeting can be fetched and listed with the time of its creation."""
    created = (await call("createMeeting", title="Talk")).json()["data"]
    assert created["start_link"].startswith(created["join_link"] + "?s=")
    assert created["status"] == "Not Started"
    fetched = (await call("getMeeting", meeting_id=created["meeting_id"])).json()["data"]
    assert fetched == {**created, "datetime": NOW}
    assert created["meeting_id"] in {row["meeting_id"] for row in (await call("listMeetings")).json()["data"]}


@pytest.mark.parametrize("resource", ["getTicketConversation", "getMeeting", "replyTicket", "deleteContact"])
async def test_what_does_not_exist_is_not_found(call, resource: str) -> None:
    """A call about an unknown id is 404 in an envelope."""
    params = {
        "getTicketConversation": {"ticket_id": "x"},
        "getMeeting": {"meeting_id": "x"},
        "replyTicket": {"ticket_id": "x", "response_date": NOW, "response_message": "x"},
        "deleteContact": {"contact_id": "x"},
    }
    response = await call(resource, **params[resource])
    assert response.status_code == 404
    assert response.json()["message"].endswith(" not found")


@pytest.mark.parametrize("resource", mostly_long(["getTickets", "getCalls", "getChats", "getMessangers"]))
async def test_a_period_keeps_what_lies_in_it(call, resource: str) -> None:
    """Month, day and second each keep exactly the records whose time begins so; the parts make the whole."""
    rows = (await call(resource)).json()["data"]
    months = {row["datetime"][:7] for row in rows}
    assert len(months) > 1
    for width in (7, 10, 19):
        found = []
        for period in sorted({row["datetime"][:width] for row in rows}):
            part = (await call(resource, datetime=period)).json()["data"]
            assert all(row["datetime"].startswith(period) for row in part)
            found += part
        assert found == rows
    assert (await call(resource, datetime="1999-01")).json()["data"] == []


@pytest.mark.parametrize(
    ("resource", "parameter", "field"),
    [
        ("getTickets", "department_id", "department_id"),
        ("getTickets", "ticket_status", "ticket_status"),
        ("getTickets", "sender_email", "sender_email"),
        ("getCalls", "department_id", "department_id"),
        ("getCalls", "call_direction", "direction"),
        ("getCalls", "category", "category"),
        ("getChats", "department_id", "department_id"),
        ("getMessangers", "department_id", "department_id"),
        ("getContacts", "group_id", "group_id"),
    ],
)
async def test_filters_keep_what_agrees(call, resource: str, parameter: str, field: str) -> None:
    """Every filter keeps exactly the records that have its value."""
    rows = (await call(resource)).json()["data"]
    values = {row[field] for row in rows} - {""}
    assert len(values) > 1
    for value in values:
        kept = (await call(resource, **{parameter: value})).json()["data"]
        assert kept == [row for row in rows if row[field] == value]
