"""The endpoints: what they take, what they refuse, what their answers look like."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from callsavvy_async import simulator
from callsavvy_async.simulator import ENDPOINTS, WHATSAPP_UID, Simulator
from callsavvy_async.simulator.state import World
from tests.profiles import mostly_long_rows

pytestmark = pytest.mark.anyio

NUMBER = "+2348012345678"
LISTS = {name for name in ENDPOINTS if name.startswith(("get", "list"))} - {"getSummary", "getMeeting"}


SAMPLES: dict[str, Callable[[World], str]] = {
    "department_id": lambda world: next(iter(world.departments)),
    "datetime": lambda _: "2024-03",
    "ticket_status": lambda _: "New",
    "sender_email": lambda _: "john@doe.com",
    "sender_name": lambda _: "John",
    "ticket_id": lambda world: next(iter(world.tickets)),
    "ticket_subject": lambda _: "Help",
    "ticket_message": lambda _: "Please",
    "replying_agent_id": lambda world: next(iter(world.agents)),
    "response_date": lambda _: "2024-03-13 15:00:48",
    "response_message": lambda _: "Done",
    "category": lambda world: next(iter(world.categories)),
    "call_direction": lambda _: "Incoming",
    "sender_id": lambda _: "Acme",
    "recipient": lambda _: NUMBER,
    "message": lambda _: "Hello",
    "call_type": lambda _: "Text-2-Speech",
    "duration": lambda _: "2",
    "uid": lambda _: WHATSAPP_UID,
    "meeting_id": lambda world: next(iter(world.meetings)),
    "title": lambda _: "Talk",
    "host_agent_id": lambda world: next(iter(world.agents)),
    "group_id": lambda world: next(iter(world.groups)),
    "name": lambda _: "J",
    "email": lambda _: "j@doe.com",
    "phone": lambda _: NUMBER,
    "contact_id": lambda world: next(iter(world.contacts)),
}
"""A good value of each parameter, by its name in the document."""


def good_params(sim: Simulator, resource: str) -> dict[str, str]:
    """Return parameters that a resource takes, all of them."""
    return {parameter.name: SAMPLES[parameter.name](sim.world) for parameter in ENDPOINTS[resource].parameters}


def test_it_is_a_witness() -> None:
    """No module of the simulator imports anything but the standard library and the simulator itself."""
    for path in Path(str(simulator.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                ours = name.startswith("callsavvy_async.simulator")
                assert ours or name.partition(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"


@pytest.mark.parametrize("resource", ENDPOINTS)
async def test_every_endpoint_takes_all_its_parameters(call, sim, resource: str) -> None:
    """A call with every documented parameter succeeds in the document's envelope."""
    response = await call(resource, **good_params(sim, resource))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json()["status"] == "success"
    assert response.json()["resource"] == ("getTicket" if resource == "getTicketConversation" else resource)


@pytest.mark.parametrize("resource", ENDPOINTS)
async def test_every_answer_has_the_documented_fields_all_text(call, sim, resource: str) -> None:
    """An answer's items have exactly the document's fields in its order, every one a string."""
    wide = {} if resource in LISTS - {"getTicketConversation"} else good_params(sim, resource)
    data = (await call(resource, **wide)).json()["data"]
    assert isinstance(data, list) is (resource in LISTS)
    items = data if isinstance(data, list) else [data]
    assert items
    for item in items:
        assert list(item) == ENDPOINTS[resource].fields.split()
        assert all(isinstance(value, str) for value in item.values())


@pytest.mark.parametrize("resource", ENDPOINTS)
async def test_unknown_and_mistyped_parameters_are_refused(call, sim, resource: str) -> None:
    """A parameter that the document does not list, or that is no string, is refused by name."""
    unknown = await call(resource, **good_params(sim, resource), colour="red")
    assert (unknown.status_code, unknown.json()["message"]) == (422, "Unknown parameter: colour")
    for name in good_params(sim, resource):
        mistyped = await call(resource, **{**good_params(sim, resource), name: 7})
        assert (mistyped.status_code, mistyped.json()["message"]) == (422, f"Invalid {name}: must be a string")


@pytest.mark.parametrize("resource", ENDPOINTS)
async def test_required_parameters_are_required_and_the_others_are_not(call, sim, resource: str) -> None:
    """Without a required parameter the call is refused by its name; without an optional one it succeeds."""
    for parameter in ENDPOINTS[resource].parameters:
        params = good_params(sim, resource)
        del params[parameter.name]
        response = await call(resource, **params)
        if parameter.required:
            assert response.json()["message"] == f"Missing required parameter: {parameter.name}"
        else:
            assert response.status_code == 200, response.text


BAD_VALUES = [
    *(
        ("sendSMS", "recipient", bad)
        for bad in ("", "+12", "08012345678", "+1234567,", "+1234567, +1234568", "+123456789012345678")
    ),
    ("sendSMS", "message", " "),
    ("sendWhatsapp", "recipient", ",".join([NUMBER] * 31)),
    ("sendWhatsapp", "uid", "nobody"),
    ("sendRobocall", "call_type", "text-2-speech"),
    *(
        ("sendRobocall", "duration", bad)
        for bad in ("", "0", "-1", "NaN", "Infinity", "two", " 2", "1e3", "1_000", "\u0662", "+1", ".5")
    ),
    ("getTickets", "ticket_status", "new"),
    ("getTickets", "sender_email", "john"),
    ("getTickets", "department_id", "nowhere"),
    ("getCalls", "call_direction", "in"),
    ("getCalls", "category", "none"),
    *(
        ("getChats", "datetime", bad)
        for bad in ("2024", "2024-13", "2024-02-30", "2024-3-1", "2024-03-13T15:00:48", "\u0662\u0660\u0662\u0664-03")
    ),
    ("listMeetings", "datetime", "2024-03-13 15:00:48"),
    *(("replyTicket", "response_date", bad) for bad in ("2024-03-13", "2024-03-13 25:00:00")),
    ("replyTicket", "replying_agent_id", "nobody"),
    ("createContact", "email", "j"),
    ("createContact", "phone", "call me"),
    ("createContact", "group_id", ""),
]


@pytest.mark.parametrize(("resource", "name", "value"), mostly_long_rows(BAD_VALUES, quick=10))
async def test_bad_values_are_refused_by_name(call, sim, resource: str, name: str, value: str) -> None:
    """A value that breaks the document's rule is refused with 422, and the message names the parameter."""
    response = await call(resource, **{**good_params(sim, resource), name: value})
    assert response.status_code == 422
    assert response.json()["status"] == "error"
    assert response.json()["message"].startswith(f"Invalid {name}: ")


async def test_a_bad_recipient_among_many_is_named(call) -> None:
    """The refusal names the one number that is wrong."""
    response = await call("sendSMS", recipient=f"{NUMBER},+12,{NUMBER}", message="x")
    assert response.json()["message"] == "Invalid recipient: +12"


async def test_an_empty_replying_agent_is_the_customer(call, sim) -> None:
    """replying_agent_id may be left empty."""
    params = {**good_params(sim, "replyTicket"), "replying_agent_id": ""}
    assert (await call("replyTicket", **params)).json()["data"]["new_status"] == "Awaiting Agent Reply"


async def test_a_recorded_robocall_needs_a_url(call, sim) -> None:
    """Pre-recorded-Audio takes a web address and no other text."""
    params = {**good_params(sim, "sendRobocall"), "call_type": "Pre-recorded-Audio"}
    assert (await call("sendRobocall", **params)).status_code == 422
    params["message"] = "https://files.example.com/a.mp3"
    assert (await call("sendRobocall", **params)).status_code == 200


@pytest.mark.parametrize("path", ["getMessengers", "sendSms", "sendsms", "sendSMS.", "", "x/sendSMS", "../v2/sendSMS"])
async def test_paths_are_literal(client: httpx.AsyncClient, path: str) -> None:
    """Resources are case-sensitive and spelt as in the document; all else is 404."""
    response = await client.post(path, json={})
    assert response.status_code == 404
    assert response.json()["message"] == "Resource not found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_taken(client: httpx.AsyncClient, method: str) -> None:
    """Any other method is 405, which names POST."""
    response = await client.request(method, "getSummary")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_taken(client: httpx.AsyncClient, content_type: str) -> None:
    """A body that is not said to be JSON is 415, though parameters of the content type are fine."""
    refused = await client.post("getSummary", content=b"{}", headers={"content-type": content_type})
    assert refused.status_code == 415
    taken = await client.post("getSummary", content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"})
    assert taken.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, b'{"title":"\\ud800"}'])
async def test_a_body_that_is_no_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    """Malformed JSON, JSON that is no object, or half a surrogate pair is 400 with an envelope, and changes nothing."""
    response = await client.post("createMeeting", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["status"] == "error"


@pytest.mark.parametrize("resource", [name for name, row in ENDPOINTS.items() if not row.parameters])
async def test_no_body_is_needed_where_there_is_nothing_to_say(client: httpx.AsyncClient, resource: str) -> None:
    """A resource that "requires no request body" is answered without one, whatever the content type."""
    for headers in ({}, {"content-type": "application/json"}):
        assert (await client.post(resource, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "url", ["", "a.mp3", "ftp://a/b.mp3", "https://", "https://x y/a.mp3", "https://\x11/a", "http://["]
)
async def test_a_recording_is_a_web_address(call, sim, url: str) -> None:
    """An audio URL that nothing could fetch is refused."""
    params = {**good_params(sim, "sendRobocall"), "call_type": "Pre-recorded-Audio", "message": url}
    assert (await call("sendRobocall", **params)).status_code == 422


@pytest.mark.parametrize("header", ["Public-Key", "Private-Key"])
async def test_both_keys_are_needed(client: httpx.AsyncClient, header: str) -> None:
    """A wrong or missing key is 401 in the document's own words."""
    for headers in ({header: "wrong"}, {header: ""}):
        response = await client.post("getSummary", json={}, headers=headers)
        assert response.status_code == 401
        assert response.json() == {
            "resource": "getSummary",
            "status": "error",
            "message": "Invalid API credentials",
        }
