"""The simulator posts events to a callback URL: on demand, and by itself when a ticket is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Any

import httpx
import pytest

from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, serve

pytestmark = pytest.mark.sockets

KEYS = {"Public-Key": PUBLIC_KEY, "Private-Key": PRIVATE_KEY}


class Business:
    """A server that keeps the JSON bodies that are posted to it."""

    def __init__(self) -> None:
        self.events: Queue[dict[str, Any]] = Queue()
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/secret"


@pytest.fixture
def business() -> Iterator[Business]:
    """Run a business's server."""
    business = Business()
    with business.server as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield business
        server.shutdown()
        thread.join()


def open_ticket(simulator: Simulator) -> httpx.Response | None:
    department = next(iter(simulator.world.departments))
    ticket = {"department_id": department, "sender_name": "Ada", "sender_email": "ada@example.com"}
    with serve(simulator) as server:
        try:
            return httpx.post(
                f"{server.url}/createTicket",
                json={**ticket, "ticket_subject": "Parcel", "ticket_message": "Where?"},
                headers=KEYS,
            )
        except httpx.HTTPError:
            return None


def test_emit(business: Business) -> None:
    """An event is posted when it is asked for, and the business's answer is the future's result."""
    simulator = Simulator(callback_url=business.url)
    assert simulator.emit("newChat", visitor_name="Bola").result(5).status == 200
    assert business.events.get(timeout=60)["visitor_name"] == "Bola"


def test_emit_wants_a_callback_url() -> None:
    """Without a URL there is nowhere to post to."""
    with pytest.raises(ValueError, match="callback_url"):
        Simulator().emit("newChat")


@pytest.mark.parametrize("fault", [None, Fault.DROP_AFTER_READ])
def test_a_new_ticket_is_announced(business: Business, fault: Fault | None) -> None:
    """Whenever a ticket was opened, also when the answer was lost, newTicketOpened tells of that ticket."""
    simulator = Simulator(callback_url=business.url)
    before = set(simulator.world.tickets)
    if fault is not None:
        simulator.faults.next("createTicket", fault)
    open_ticket(simulator)
    [ticket_id] = set(simulator.world.tickets) - before
    event = business.events.get(timeout=60)
    assert event["event"] == "newTicketOpened"
    assert (event["ticket_id"], event["ticket_subject"]) == (ticket_id, "Parcel")


def test_a_refused_ticket_is_not_announced(business: Business) -> None:
    """What was not opened is not told of."""
    simulator = Simulator(callback_url=business.url, public_key="another")
    answer = open_ticket(simulator)
    assert answer is not None
    assert answer.status_code == 401
    with pytest.raises(Empty):
        business.events.get(timeout=0.2)
