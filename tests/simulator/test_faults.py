"""Every fault, as a client meets it and as the ledger knows it."""

from __future__ import annotations

import json
import math
import socket
import time
import zlib
from collections.abc import Callable
from copy import deepcopy

import anyio
import httpx
import pytest

from callsavvy_async.simulator import (
    FAULT_HEADER,
    FAULTS,
    WHATSAPP_UID,
    ConnectionDropped,
    Fault,
    FaultKind,
    Simulator,
    SimulatorServer,
)
from tests.profiles import mostly_long

NUMBER = "+2348012345678"
SEND = {"recipient": NUMBER, "message": "Hi"}
BROKEN_EARLY = (httpx.ReadError, httpx.RemoteProtocolError)
"""Which of the two depends on whether the client's own writing was over when the connection broke."""
NO_ANSWER: dict[str, type[Exception] | tuple[type[Exception], ...]] = {
    "drop-before-read": BROKEN_EARLY,
    "drop-after-read": httpx.RemoteProtocolError,
    "drop-unprocessed": httpx.RemoteProtocolError,
    "reset-before-read": BROKEN_EARLY,
    "reset-after-read": httpx.ReadError,
    "reset-unprocessed": httpx.ReadError,
    "hang-before-read": httpx.ReadTimeout,
    "hang": httpx.ReadTimeout,
    "garbage": httpx.RemoteProtocolError,
    "truncated-body": httpx.RemoteProtocolError,
}


def test_every_name_is_a_constant() -> None:
    """What the command line calls `drop-after-read` is `Fault.DROP_AFTER_READ`."""
    for name, fault in FAULTS.items():
        assert getattr(Fault, name.upper().replace("-", "_")) is fault
        assert Fault.named(name) is fault
    assert set(FaultKind) - {fault.kind for fault in FAULTS.values()} == set()
    assert Fault.named("status-503") == Fault.with_status(503)
    assert Fault.named("redirect-308") == Fault.redirect(308)
    with pytest.raises(ValueError, match=r"'nonsense' is not the name of a fault; pass one of .*drop-after-read, "):
        Fault.named("nonsense")


def test_what_is_not_read_cannot_be_processed() -> None:
    """A fault that claims to process an unread request is refused."""
    with pytest.raises(ValueError, match="not read"):
        Fault.DROP_BEFORE_READ.but(processed=True)


@pytest.mark.parametrize("name", mostly_long(FAULTS, quick=11))
def test_the_ledger_knows_whether_a_fault_charged(wire: httpx.Client, sim: Simulator, name: str) -> None:
    """Exactly the faults that are `processed` charge, and only those that read are written down."""
    fault = FAULTS[name].but(seconds=0.0, size=100)
    sim.faults.next("sendSMS", fault)
    balance = sim.world.balances.sms
    try:
        wire.post("sendSMS", json=SEND, timeout=0.5, headers={"connection": "close"})
    except httpx.TransportError:
        assert name in NO_ANSWER
    assert sim.ledger.posts("sendSMS") == fault.reads
    assert sim.ledger.charged_count(NUMBER) == fault.processed
    assert balance - sim.world.balances.sms == fault.processed
    assert [entry.fault for entry in sim.ledger.requests] == [str(fault)] * fault.reads
    assert sim.faults.waiting == 0
    assert wire.post("sendSMS", json=SEND).status_code == 200, "a fault strikes once"


def patience(name: str) -> float:
    """Return for how many seconds to wait for an answer; what hangs is not waited for long."""
    return 0.5 if "hang" in name else 60


@pytest.mark.parametrize("name", mostly_long(FAULTS, quick=11))
def test_whether_it_is_processed_can_be_chosen(wire: httpx.Client, sim: Simulator, name: str) -> None:
    """`but(processed=False)` shows the client the same and charges nothing, not even an id."""
    sim.faults.next("sendSMS", FAULTS[name].but(processed=False, seconds=0.0, size=100))
    before = deepcopy(sim.world)
    try:
        wire.post("sendSMS", json=SEND, timeout=patience(name))
    except httpx.TransportError:
        assert name in NO_ANSWER
    assert sim.world == before
    assert not sim.ledger.charged


def test_unprocessed_writes_leave_no_trace(wire: httpx.Client, sim: Simulator) -> None:
    """A write that is only rehearsed answers as if it were done, and nothing exists, changed or went afterwards."""
    world = sim.world
    before = deepcopy(world)
    ticket = {"ticket_id": next(iter(world.tickets))}
    department = {"department_id": next(iter(world.departments))}
    sender = {"sender_name": "Ann", "sender_email": "ann@example.org"}
    reply = {"response_date": "2024-03-13 15:00:48", "response_message": "Done"}
    sim.faults.next(None, Fault.WRONG_CONTENT_TYPE.but(processed=False), times=5)
    for resource, params in {
        "createTicket": {**department, **sender, "ticket_subject": "Help", "ticket_message": "Please"},
        "replyTicket": {**ticket, **reply},
        "createMeeting": {"title": "Talk"},
        "createContact": {"name": "Ann", "phone": NUMBER},
        "deleteContact": {"contact_id": next(iter(world.contacts))},
    }.items():
        assert wire.post(resource, json=params).json()["status"] == "success"
    assert world == before


@pytest.mark.parametrize(("name", "error"), NO_ANSWER.items())
def test_without_an_answer(
    wire: httpx.Client, sim: Simulator, name: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    """A broken connection is broken for real: FIN, RST, silence or nonsense."""
    sim.faults.next(None, FAULTS[name])
    with pytest.raises(error):
        wire.post("sendSMS", json=SEND, timeout=patience(name))


@pytest.mark.parametrize("when", ["after-read", "unprocessed"])
def test_a_drop_is_fin_and_a_reset_is_rst(server: SimulatorServer, sim: Simulator, when: str) -> None:
    """The kernel tells the one as the end of the stream, the other as an error."""
    request = b"POST /v1/getSummary HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"
    url = httpx.URL(server.url)
    for name in (f"drop-{when}", f"reset-{when}"):
        sim.faults.next("getSummary", FAULTS[name])
        with socket.create_connection((url.host, url.port or 0), timeout=60) as sock:
            sock.sendall(request)
            if name.startswith("drop"):
                assert sock.recv(1) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    sock.recv(1)


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(NO_ANSWER.keys() - {"hang", "hang-before-read"}))
async def test_without_an_answer_in_process(sim: Simulator, name: str) -> None:
    """Where there is no socket to break, `ConnectionDropped` says so."""
    sim.faults.next(None, FAULTS[name])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
        with pytest.raises(ConnectionDropped):
            await client.post("getSummary", json={})


@pytest.mark.anyio
async def test_hanging_in_process_can_be_cancelled(sim: Simulator) -> None:
    """A hang waits, on any loop, until the caller gives up."""
    sim.faults.next(None, Fault.HANG)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
        with anyio.move_on_after(0.05) as scope:
            await client.post("getSummary", json={})
    assert scope.cancelled_caught


def test_closing_behind_an_answer(wire: httpx.Client, sim: Simulator) -> None:
    """The answer is whole and promises nothing about closing; then the connection is gone."""
    sim.faults.next("getSummary", Fault.CLOSE_AFTER_RESPONSE)
    response = wire.post("getSummary", json={})
    assert response.json()["status"] == "success"
    assert "connection" not in response.headers


@pytest.mark.parametrize(
    "status", mostly_long([429, 503, 400, 401, 402, 403, 404, 408, 409, 418, 425, 500, 502, 504, 599], quick=2)
)
@pytest.mark.parametrize("body", ["envelope", "html", "empty"])
def test_any_status_with_any_body(wire: httpx.Client, sim: Simulator, status: int, body: str) -> None:
    """A status comes with the API's envelope, a gateway's page or nothing, and Retry-After as written."""
    sim.faults.next("sendSMS", Fault.with_status(status, body=body, retry_after="soon"))
    response = wire.post("sendSMS", json=SEND)
    assert (response.status_code, response.headers["retry-after"]) == (status, "soon")
    if body == "envelope":
        assert response.json()["resource"] == "sendSMS"
        assert response.json()["status"] == "error"
        assert response.json()["message"]
    else:
        assert response.text[:6] == ("<html>" if body == "html" else "")
    sim.faults.next("sendSMS", Fault.with_status(status))
    assert "retry-after" not in wire.post("sendSMS", json=SEND).headers
    assert not sim.ledger.charged


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_lead_elsewhere(wire: httpx.Client, sim: Simulator, status: int) -> None:
    """A redirect points to another host; the request may have been processed or not."""
    sim.faults.next("sendSMS", Fault.redirect(status))
    sim.faults.next("sendSMS", Fault.redirect(status, to="http://other.example/", processed=True))
    first, second = wire.post("sendSMS", json=SEND), wire.post("sendSMS", json=SEND)
    assert (first.status_code, first.headers["location"]) == (status, "https://elsewhere.example/v1/")
    assert second.headers["location"] == "http://other.example/"
    assert sim.ledger.charged_count(NUMBER) == 1


def data(response: httpx.Response) -> object:
    return response.json()["data"]


MANGLED: dict[str, Callable[[httpx.Response], object]] = {
    "malformed-json": lambda r: r.text.startswith("{'resource':'sendSMS'"),
    "truncated-json": lambda r: r.text.startswith('{"resource":"sendSMS","status":"') and not r.text.endswith("}"),
    "empty-response": lambda r: r.content == b"",
    "html-response": lambda r: r.text.startswith("<html>") and r.headers["content-type"].startswith("text/html"),
    "wrong-content-type": lambda r: r.headers["content-type"] == "text/plain" and r.json()["status"] == "success",
    "double-encoded": lambda r: json.loads(r.json())["status"] == "success",
    "nan": lambda r: math.isnan(r.json()["data"]["cost"]) and math.isnan(r.json()["took"]),
    "no-break-spaces": lambda r: b"\n\xc2\xa0\xc2\xa0\xc2\xa0\xc2\xa0" in r.content,
    "byte-order-mark": lambda r: r.content.startswith(b'\xef\xbb\xbf{"resource"'),
    "error-envelope": lambda r: r.json()["status"] == "error" and r.json()["message"],
    "send-failed": lambda r: r.json()["status"] == "success" and r.json()["data"]["status"] == "failed",
    "unknown-word": lambda r: r.json()["data"]["status"] == "moon-phase",
    "missing-data": lambda r: set(r.json()) == {"resource", "status"},
    "missing-fields": lambda r: data(r) == {},
    "null-fields": lambda r: data(r) == {"message_id": None, "cost": None, "status": None},
    "json-numbers": lambda r: r.json()["data"]["cost"] == 1 and isinstance(r.json()["data"]["cost"], int),
    "php-arrays": lambda r: data(r) == [],
    "shouted-status": lambda r: r.json()["status"] == "SUCCESS",
    "huge-body": lambda r: len(r.content) > 3_000_000 and r.json()["status"] == "success",
    "gzip-bomb": lambda r: len(r.content) > 3_000_000 and r.json()["status"] == "success",
    "slow-drip": lambda r: r.json()["status"] == "success",
    "close-after-response": lambda r: r.json()["status"] == "success",
    "early-413": lambda r: r.status_code == 413,
}


def test_every_fault_has_its_test() -> None:
    """No fault is left out of the two tables."""
    assert set(MANGLED) | set(NO_ANSWER) == set(FAULTS)


@pytest.mark.anyio
@pytest.mark.parametrize("name", MANGLED)
async def test_answers_are_spoilt_as_named(call, sim: Simulator, name: str) -> None:
    """An answer still comes, wrong in just the one way, through both doors."""
    fault = FAULTS[name]
    sim.faults.next("sendSMS", fault.but(size=3_000_000 if fault.size > 1 else 16, seconds=0.0))
    response = await call("sendSMS", **SEND)
    assert response.status_code == (413 if name == "early-413" else 200)
    assert MANGLED[name](response)


@pytest.mark.anyio
async def test_lists_are_spoilt_too(call, sim: Simulator) -> None:
    """PHP's lists have keys, nulls and gaps reach every item, truth values become JSON's own."""
    ticket = {"ticket_id": next(iter(sim.world.tickets))}
    plain = (await call("getTicketConversation", **ticket)).json()["data"]
    for name in ("php-arrays", "null-fields", "missing-fields", "json-numbers"):
        sim.faults.next("getTicketConversation", FAULTS[name])
    answers = [(await call("getTicketConversation", **ticket)).json()["data"] for _ in range(4)]
    assert answers[0] == {str(index): item for index, item in enumerate(plain)}
    assert answers[1] == [dict.fromkeys(item) for item in plain]
    assert answers[2] == [{} for _ in plain]
    assert [item["from_agent"] for item in answers[3]] == [item["from_agent"] == "true" for item in plain]


def test_a_slow_drip_is_slow(wire: httpx.Client, sim: Simulator) -> None:
    """The pieces come apart in time: the whole takes long, and a client that waits for each of them gets it."""
    sim.faults.next("sendWhatsapp", Fault.SLOW_DRIP.but(size=20, seconds=0.05))
    started = time.monotonic()
    response = wire.post("sendWhatsapp", json={**SEND, "uid": WHATSAPP_UID})
    assert time.monotonic() - started >= 0.05 * (len(response.content) // 20)


def test_a_bomb_is_small_on_the_wire(wire: httpx.Client, sim: Simulator) -> None:
    """A thousandth of what it unpacks to."""
    sim.faults.next("getSummary", Fault.GZIP_BOMB.but(size=10_000_000))
    with wire.stream("POST", "getSummary", json={}) as response:
        packed = b"".join(response.iter_raw())
    assert len(packed) < 20_000
    assert len(zlib.decompress(packed, wbits=31)) > 10_000_000


def test_an_early_413_does_not_wait_for_the_body(wire: httpx.Client, sim: Simulator) -> None:
    """The answer comes while the body is still on its way, and the connection is closed."""
    sim.faults.next("sendSMS", Fault.EARLY_413)
    response = wire.post("sendSMS", content=b"x" * 1_000, headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["connection"]) == (413, "close")
    assert sim.requests[-1].read is False


def test_queues_go_in_order_and_by_resource(wire: httpx.Client, sim: Simulator) -> None:
    """Each resource has its queue; the one for any resource comes after."""
    sim.faults.next("sendSMS", Fault.with_status(500), times=2)
    sim.faults.next("sendSMS", Fault.with_status(501))
    sim.faults.next(None, Fault.with_status(502))
    assert wire.post("getSummary", json={}).status_code == 502
    assert [wire.post("sendSMS", json=SEND).status_code for _ in range(4)] == [500, 500, 501, 200]


def test_a_script_says_what_happens_to_each_request(wire: httpx.Client, sim: Simulator) -> None:
    """A script mixes faults, their names and requests without a fault, which no rule and no header disturbs."""
    sim.faults.rule(Fault.DROP_BEFORE_READ)
    sim.faults.script("sendSMS", "status-429", None, Fault.with_status(503))
    spoilt = {FAULT_HEADER: "status-500"}
    assert [wire.post("/sendSMS", json=SEND, headers=spoilt).status_code for _ in range(2)] == [429, 200]
    assert sim.faults.waiting == 1
    sim.faults.clear()
    with pytest.raises(ValueError, match="'nonsense' is not the name of a fault"):
        sim.faults.script("sendSMS", None, "nonsense")
    assert sim.faults.waiting == 0


def test_rules_strike_where_they_fit(wire: httpx.Client, sim: Simulator) -> None:
    """A rule sees the request's body and meets only what it is true for, until it is cleared."""
    sim.faults.rule(Fault.with_status(500), resource="sendSMS", when=lambda request: b"+999" in request.body)
    assert wire.post("sendSMS", json=SEND).status_code == 200
    assert wire.post("sendSMS", json={**SEND, "recipient": "+9991234567"}).status_code == 500
    assert wire.post("getSummary", json={"x": "+999"}).status_code == 422
    sim.faults.clear()
    assert wire.post("sendSMS", json={**SEND, "recipient": "+9991234567"}).status_code == 200


@pytest.mark.anyio
async def test_probabilities_follow_the_seed() -> None:
    """A share of the requests is struck, the same ones for the same seed."""

    async def struck(seed: int) -> list[int]:
        sim = Simulator(seed=seed)
        sim.faults.rule(Fault.with_status(500), probability=0.3)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
            return [(await client.post("getSummary", json={})).status_code for _ in range(200)]

    first = await struck(1)
    assert first == await struck(1)
    assert first != await struck(2)
    assert 40 <= first.count(500) <= 80


@pytest.mark.parametrize("name", ["early-413", "html-response", "status-503"])
def test_a_request_can_name_its_fault(wire: httpx.Client, name: str) -> None:
    """The header strikes that one request, before its body is read or after."""
    response = wire.post("getSummary", json={}, headers={FAULT_HEADER: name})
    assert (response.status_code, response.text[:1]) in {(413, "{"), (200, "<"), (503, "{")}
    assert wire.post("getSummary", json={}).json()["status"] == "success"


def test_a_fault_does_not_lift_a_refusal(wire: httpx.Client, sim: Simulator) -> None:
    """A faulted request that the API would have refused is not charged, and the ledger keeps the refusal's words."""
    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    with pytest.raises(httpx.RemoteProtocolError):
        wire.post("sendSMS", json={**SEND, "recipient": "+12"})
    (entry,) = sim.ledger.requests
    assert (entry.charged, entry.reason) == (False, "Invalid recipient: +12")
