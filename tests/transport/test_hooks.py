"""The sentences of hook events, and the levels at which they are logged."""

from __future__ import annotations

import json
import logging
from decimal import Decimal

import pytest

from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.transport.hooks import (
    AttemptFailed,
    HookEvent,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
    SharedLimitRestored,
    event_fields,
    log_event,
)
from callsavvy_async.transport.request_context import BulkChunk

ID = "00ff"
LOST = Attempt(Outcome.NOT_SENT, "connect", 0.1)


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (RequestStarted("sendSMS", request_id=ID), logging.DEBUG, "sendSMS 00ff: starts"),
        (
            RequestWaiting("sendSMS", 1.5, "in flight", 3, request_id=ID),
            logging.DEBUG,
            "sendSMS 00ff: waits 1.5 s: in flight, 3 ahead",
        ),
        (
            RequestWaiting("sendSMS", None, "cold start", request_id=ID),
            logging.DEBUG,
            "sendSMS 00ff: waits: cold start, 0 ahead",
        ),
        (
            RateLimited("sendSMS", 2.0, 2.0, request_id=ID),
            logging.WARNING,
            "sendSMS 00ff: rate-limited (Retry-After 2 s); all requests pause for 2 s",
        ),
        (
            RateLimited("sendSMS", 0.0, None, request_id=ID),
            logging.WARNING,
            "sendSMS 00ff: rate-limited (no Retry-After); all requests pause",
        ),
        (
            AttemptFailed("sendSMS", LOST, 1, 0.5, request_id=ID),
            logging.WARNING,
            "sendSMS 00ff: attempt 1 failed: connect (NOT_SENT); retrying in 0.5 s",
        ),
        (
            AttemptFailed("sendSMS", LOST, 1, 0.0, request_id=ID),
            logging.WARNING,
            "sendSMS 00ff: attempt 1 failed: connect (NOT_SENT); retrying at its next turn",
        ),
        (
            AttemptFailed("sendSMS", LOST, 4, None, request_id=ID),
            logging.INFO,
            "sendSMS 00ff: attempt 4 failed: connect (NOT_SENT); giving up",
        ),
        (
            RequestSettled("sendSMS", Outcome.NOT_SENT, (LOST,), 0.25, cancelled=True, request_id=ID),
            logging.DEBUG,
            "sendSMS 00ff: NOT_SENT after 1 attempt, 0.250 s, cancelled",
        ),
        (
            SharedLimitRestored("*", 8.5, 2),
            logging.WARNING,
            "the shared limit '*' is back after 8.5 s; processes so far: 2",
        ),
    ],
)
def test_an_event_is_logged_as_its_sentence(
    caplog: pytest.LogCaptureFixture, event: HookEvent, level: int, text: str
) -> None:
    """What needs attention is a warning, a final failure is raised too, and the rest is for debugging."""
    caplog.set_level(logging.DEBUG, "callsavvy_async")
    log_event(event)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, text)]
    assert str(event) == text


def test_a_log_record_has_the_fields_of_its_event(caplog: pytest.LogCaptureFixture) -> None:
    """A structured log needs no parsing of sentences: the values are attributes of the record, plain enough for JSON."""
    caplog.set_level(logging.DEBUG, "callsavvy_async")
    chunk = BulkChunk(7, 100, campaign=1, run=2)
    log_event(
        RequestSettled("sendSMS", Outcome.ACCEPTED, (LOST,), 0.25, request_id=ID, chunk=chunk, cost=Decimal("4.5"))
    )
    record = vars(caplog.records[0])
    expected = {
        "event": "RequestSettled",
        "endpoint": "sendSMS",
        "request_id": ID,
        "outcome": "accepted",
        "attempts": ({"outcome": "not_sent", "reason": "connect", "seconds": 0.1, "status_code": None},),
        "seconds": 0.25,
        "cancelled": False,
        "cost": "4.5",
        "chunk": {"number": 7, "recipients": 100, "campaign": 1, "run": 2},
    }
    assert {name: record[name] for name in expected} == expected
    assert json.dumps(expected)


def test_header_fields_of_a_hook_are_not_logged() -> None:
    """A field such as ``baggage`` may hold anything, and so is in neither a log nor a repr."""
    started = RequestStarted("sendSMS", request_id=ID, headers={"baggage": "secret"})
    assert "secret" not in f"{started!r} {event_fields(started)}"
