"""The hot path is counted in calls, which do not depend on how busy a machine is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from callsavvy_async.policy.outcome import classify_response
from callsavvy_async.resources.sends import SEND_SMS
from callsavvy_async.resources.tickets import LIST_TICKETS
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.json_bytes import dumps
from callsavvy_async.wire.response import HttpResponse, read_envelope
from callsavvy_async.wire.response_headers import Headers
from tests.wire.conftest import speed

RECEIPT = b'{"resource":"sendSMS","status":"success","data":{"message_id":"m-1234","cost":"4","status":"sent"}}'
TICKET = (
    b'{"ticket_id":"T1","datetime":"2026-11-22 08:15:00","ticket_status":"New","last_reply":"","subject":"Late",'
    b'"sender_name":"Ada","sender_email":"ada@example.com","department_id":"d1"}'
)


def calls(work: Callable[[], object]) -> list[str]:
    """Names of all functions, of Python and of C, that some work calls when it is done for the second time."""
    names: list[str] = []

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)
        elif event == "c_call":
            names.append(getattr(arg, "__qualname__", "?"))

    work()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return names[1:-1]  # neither the work itself nor the end of the counting


def no_clock() -> None:
    raise AssertionError("nobody asked for the time")


def read(codec: Codec, body: bytes) -> object:
    response = HttpResponse(200, Headers([(b"content-type", b"application/json")]), body)
    envelope = read_envelope(response.body)
    classify_response(response, envelope, now=no_clock)
    return codec.decode(SEND_SMS, envelope, response.body)


def test_a_receipt() -> None:
    """Parsing, judging and decoding a success answer of sendSMS takes at most 25 function calls, and reads no clock."""
    codec = Codec()
    with speed(installed=True):
        names = calls(lambda: read(codec, RECEIPT))
    assert len(names) <= 25, names


def test_a_row() -> None:
    """Another ticket in a list costs at most 12 function calls, even if one of its fields is empty."""
    codec = Codec()
    counts = [
        len(calls(lambda body=body: codec.decode(LIST_TICKETS, codec.read_envelope(LIST_TICKETS, body), body)))
        for body in (b'{"status":"success","data":[' + b",".join([TICKET] * rows) + b"]}" for rows in (10, 110))
    ]
    assert (counts[1] - counts[0]) / 100 <= 12


def test_a_body() -> None:
    """Writing a request's body takes at most 4 function calls."""
    with speed(installed=True):
        names = calls(lambda: dumps({"recipient": "+2348012345678", "message": "Hello"}))
    assert len(names) <= 4, names
