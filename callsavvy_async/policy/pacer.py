"""The protocol that decides when the next request may start. `transport.rate_limiter` does the waiting.

The rate limiter calls `delay` before each request, `sent` at its start, and `done` exactly once at its end, after success,
failure or cancellation. Three pacers implement the protocol:

    Adaptive     finds an undocumented limit
    FixedRate    keeps to a configured rate
    Unlimited    limits only the number in flight

All three obey Retry-After, for all requests at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.feedback import Feedback, Permit

MAX_IN_FLIGHT = 64
"""Default maximum number of requests in flight."""
FULL = "in flight"
"""`PacerSnapshot.why` while the maximum number of requests is in flight. More text may follow."""
BY_LATENCY, BY_429S = f"{FULL}, by latency", f"{FULL}, by 429s"
"""The same while latency or 429s allow fewer requests in flight than `max_in_flight`."""
OUTAGE = "outage"
"""`PacerSnapshot.why` while requests fail without a response."""
RATE_LIMITED = "rate-limited"
"""`PacerSnapshot.why` while requests pause after a 429."""


@attrs.frozen
class PacerSnapshot:
    """A pacer's state at one moment. `attrs.asdict` makes it JSON-able, and `restore` reads that dictionary.

    Attributes:
        rate: Current requests per second; None for unlimited.
        in_flight: Number of requests in flight.
        allowed_in_flight: Current maximum number of requests in flight.
        shut_for: Seconds left of the pause after a 429; 0 without a pause.
        sent: Number of requests started so far.
        rate_limited: Number of them that were rate-limited (429).
        why: Reason for which requests wait, in a word or two.
        learned_rate: Configured or estimated limit in requests per second; None until known.
        learned_in_flight: Estimated number of requests in flight that the API can use; None if it is not estimated.
        learned_window: Seconds of the API's window; 0 if the API has shown no window.
        processes: Number of processes that share the limit; None if the limit is not shared, or while the shared row is
            unavailable.
        waiting: Number of requests that wait for their turn. The rate limiter fills it in.
        groups: Snapshots of the limits that endpoints have separately, by endpoint or policy.
    """

    rate: float | None
    in_flight: int
    allowed_in_flight: int
    shut_for: float
    sent: int
    rate_limited: int
    why: str
    learned_rate: float | None = None
    learned_in_flight: float | None = None
    learned_window: float = 0.0
    processes: int | None = None
    waiting: int = 0
    groups: Mapping[str, PacerSnapshot] = attrs.field(factory=dict[str, "PacerSnapshot"])


class Pacer(Protocol):
    """Decides when requests may start. All times are seconds on one monotonic clock. No method blocks."""

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start; infinity if a `done` must come first."""
        ...

    def sent(self, now: float) -> Permit:
        """Count one request as started. The caller has just received 0 from `delay`."""
        ...

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Count a request as ended. The caller does this exactly once for each permit, also after a cancellation.

        Args:
            now: Current time on the shared clock, in seconds.
            permit: Permit of the request.
            feedback: Outcome of the request.
        """
        ...

    def snapshot(self, now: float) -> PacerSnapshot:
        """Return the current state."""
        ...

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from the state of an earlier process, the `attrs.asdict` of its snapshot."""
        ...


def at_least_one(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check a count of requests (an attrs validator).

    Raises:
        ConfigurationError: The value is less than 1, or not a whole number.
    """
    if not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a whole number, 1 or more.")
