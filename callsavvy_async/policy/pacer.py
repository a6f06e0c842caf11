"""What decides when one more request may start: pure, in virtual time; `transport.pacing` does the waiting.

The shell asks `delay` before each request, requests `sent` when it starts one and `done` exactly once when it has ended,
however it ended. Three pacers share that protocol:

    Adaptive     finds the hidden limit: a gate, a rate law, an in-flight law and the API's own headers
    FixedRate        keeps to a rate that is known
    Unlimited    keeps only to a number in flight

All three obey Retry-After, once for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.feedback import Feedback, Permit

MAX_IN_FLIGHT = 64
"""Requests on their way at a time, unless a client is told otherwise."""
FULL = "in flight"
"""Why requests are held back while as many are on their way as may be; how it begins, where more is to be said."""


@attrs.frozen
class PacerSnapshot:
    """A pacer's state at one moment. `attrs.asdict` makes it JSON-able, and `restore` takes that back.

    Attributes:
        rate: requests per second that it keeps to now; None for no such limit.
        in_flight: requests on their way.
        allowed_in_flight: how many there may be now.
        shut_for: seconds until a request may follow a refusal; 0 while nothing is shut.
        sent: requests started so far.
        rate_limited: how many of them were refused, 429 as a rule.
        why: what holds requests back, in a word or two.
        learned_rate: requests per second that the limit is believed to be, told or learned; None until known.
        learned_in_flight: requests in flight that the API is believed to use; None where that is not learned.
        learned_window: seconds in which the API spends and renews a budget; 0 where no such window has shown.
        processes: how many processes share the limit, as far as known; None where none does, or while they are out of
            reach.
        waiting: requests that wait for their turn; the pacer itself cannot know.
        groups: the same of the limits that some endpoints have for themselves, by the endpoint or the policy.
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
    """Decides when requests may start. All times are seconds of one monotonic clock; nothing here blocks."""

    def delay(self, now: float) -> float:
        """Seconds until one more request may start: 0 now; more: ask again then; inf: ask again after a `done`."""
        ...

    def sent(self, now: float) -> Permit:
        """Count one request as started; allowed only when `delay` has just returned 0."""
        ...

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Count a request as ended. Called exactly once for each permit, also when it was cancelled."""
        ...

    def snapshot(self, now: float) -> PacerSnapshot:
        """Return what is known and what holds requests back."""
        ...

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from what an earlier process had learned: `attrs.asdict` of its snapshot."""
        ...


def at_least_one(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check a count of requests (an attrs validator).

    Raises:
        ConfigurationError: it is less than 1, so that no request could ever start, or no whole number.
    """
    if not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a whole number, 1 or more.")
