"""The sentences of hook events, and the levels at which they are logged."""

from __future__ import annotations

import logging

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
    log_event,
)

LOST = Attempt(Outcome.NOT_SENT, "connect", 0.1)


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (RequestStarted("sendSMS"), logging.DEBUG, "sendSMS: starts"),
        (RequestWaiting("sendSMS", 1.5, "in flight", 3), logging.DEBUG, "sendSMS: waits 1.5 s: in flight, 3 ahead"),
        (RequestWaiting("sendSMS", None, "cold start"), logging.DEBUG, "sendSMS: waits: cold start, 0 ahead"),
        (
            RateLimited("sendSMS", 2.0, 2.0),
            logging.WARNING,
            "sendSMS: rate-limited (Retry-After 2 s); all requests pause for 2 s",
        ),
        (
            RateLimited("sendSMS", 0.0, None),
            logging.WARNING,
            "sendSMS: rate-limited (no Retry-After); all requests pause",
        ),
        (
            AttemptFailed("sendSMS", LOST, 1, 0.5),
            logging.WARNING,
            "sendSMS: attempt 1 failed: connect (NOT_SENT); retrying in 0.5 s",
        ),
        (
            AttemptFailed("sendSMS", LOST, 1, 0.0),
            logging.WARNING,
            "sendSMS: attempt 1 failed: connect (NOT_SENT); retrying at its next turn",
        ),
        (
            AttemptFailed("sendSMS", LOST, 4, None),
            logging.INFO,
            "sendSMS: attempt 4 failed: connect (NOT_SENT); giving up",
        ),
        (
            RequestSettled("sendSMS", Outcome.NOT_SENT, (LOST,), 0.25, cancelled=True),
            logging.DEBUG,
            "sendSMS: NOT_SENT after 1 attempt, 0.250 s, cancelled",
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
