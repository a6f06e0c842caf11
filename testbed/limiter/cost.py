"""Count the Python function calls of a pacer for one request."""

from __future__ import annotations

import sys
from types import FrameType

from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.pacer import Pacer

_ADMITTED = Feedback(Signal.ADMITTED)


def calls_per_request(pacer: Pacer) -> int:
    """Return the number of Python function calls for one request that does not wait."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    one_request(pacer, 1.0)
    sys.setprofile(count)
    try:
        one_request(pacer, 2.0)
    finally:
        sys.setprofile(None)
    return calls - 1  # one_request itself


def one_request(pacer: Pacer, now: float) -> None:
    if pacer.delay(now) == 0.0:
        pacer.done(now + 0.1, pacer.sent(now), _ADMITTED)
