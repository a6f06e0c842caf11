"""What a pacer is told about each request: the permit it gave out, and how the request ended."""

from __future__ import annotations

from enum import Enum

import attrs

from callsavvy_async.policy.ratelimit_headers import RateLimitHints


class Signal(Enum):
    """What an attempt taught about the API's limit."""

    ADMITTED = "admitted"
    """The API let it through, whatever it answered."""
    RATE_LIMITED = "rate limited"
    """429, or the API's own "come back later"."""
    FAILED = "failed"
    """No answer of the API's own: time-outs, resets, 5xx."""
    NOTHING = "nothing"
    """Cancelled, or never sent."""


def _unless_zero(seconds: float | None) -> float | None:
    return seconds or None


@attrs.frozen
class Feedback:
    """The end of one request.

    Attributes:
        signal: what it taught.
        retry_after: seconds that the API asked to wait, from now. "Retry-After: 0" asks for nothing and counts as none:
            taken at its word it would make a loop without pauses.
        hints: what the headers said is left of the limit.
    """

    signal: Signal
    retry_after: float | None = attrs.field(default=None, converter=_unless_zero)
    hints: RateLimitHints | None = None


@attrs.frozen
class Permit:
    """One request on its way.

    Attributes:
        sent_at: when it started, in monotonic seconds.
        level: how many were in flight then, itself included.
        episode: how often the gate had reopened by then.
        probe: whether it tries out a gate that is shut.
    """

    sent_at: float
    level: int
    episode: int = 0
    probe: bool = False
