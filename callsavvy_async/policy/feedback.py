"""The values that a pacer exchanges with its caller: a permit for each request, and feedback when the request ends."""

from __future__ import annotations

from enum import Enum

import attrs

from callsavvy_async.policy.ratelimit_headers import RateLimitHints
from callsavvy_async.slim import slim


class Signal(Enum):
    """What an attempt shows about the API's limit."""

    ADMITTED = "admitted"
    """The API processed the request, with whatever result."""
    RATE_LIMITED = "rate limited"
    """A 429, or a 503 of the API with Retry-After."""
    FAILED = "failed"
    """A time-out, a reset or another 5xx."""
    NOTHING = "nothing"
    """The request was cancelled or never sent."""


def _unless_zero(seconds: float | None) -> float | None:
    return seconds or None


@attrs.frozen
class Feedback:
    """The end of one request.

    Attributes:
        signal: Meaning for the limit.
        retry_after: Seconds of the response's Retry-After, from now. "Retry-After: 0" counts as absent, because it would
            cause a loop without pauses.
        hints: Remaining requests of the limit, from the response's headers.
    """

    signal: Signal
    retry_after: float | None = attrs.field(default=None, converter=_unless_zero)
    hints: RateLimitHints | None = None


@slim
class Permit:
    """One request in flight.

    Attributes:
        sent_at: Start, in monotonic seconds.
        level: Number of requests in flight at the start, including this one.
        episode: Number of times the gate had reopened by then.
        probe: True if the request tests a shut gate.
    """

    sent_at: float
    level: int
    episode: int = 0
    probe: bool = False
