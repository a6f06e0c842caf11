"""Events of a client's requests, the hooks that receive them, and the logging hook."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import attrs

from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.wording import quantity

_log = logging.getLogger("callsavvy_async")


@attrs.frozen
class RequestStarted:
    """A request has started."""

    endpoint: str

    def __str__(self) -> str:
        return f"{self.endpoint}: starts"


@attrs.frozen
class RequestWaiting:
    """A request waits for its turn.

    Attributes:
        endpoint: Endpoint of the request.
        seconds: Expected seconds, assuming that the requests ahead start at the estimated limit; None if unknown.
        why: Reason: "learned rate", "fixed rate", "cold start", "in flight" or "rate-limited".
        ahead: Number of waiting requests that go first.
    """

    endpoint: str
    seconds: float | None
    why: str
    ahead: int = 0

    def __str__(self) -> str:
        expected = "" if self.seconds is None else f" {self.seconds:.3g} s"
        return f"{self.endpoint}: waits{expected}: {self.why}, {self.ahead} ahead"


@attrs.frozen
class RateLimited:
    """A request was rate-limited. All requests of the client pause for `seconds`; 0 if a shared limit decides later."""

    endpoint: str
    seconds: float
    retry_after: float | None

    def __str__(self) -> str:
        asked = "no Retry-After" if self.retry_after is None else f"Retry-After {self.retry_after:g} s"
        pause = f" for {self.seconds:.3g} s" if self.seconds else ""
        return f"{self.endpoint}: rate-limited ({asked}); all requests pause{pause}"


@attrs.frozen
class AttemptFailed:
    """An attempt failed. The next follows in `retry_in` seconds; 0 means at its next turn, None means never."""

    endpoint: str
    attempt: Attempt
    number: int
    retry_in: float | None

    def __str__(self) -> str:
        later = f"in {self.retry_in:.3g} s" if self.retry_in else "at its next turn"
        then = "giving up" if self.retry_in is None else f"retrying {later}"
        attempt = self.attempt
        return f"{self.endpoint}: attempt {self.number} failed: {attempt.reason} ({attempt.outcome.name}); {then}"


@attrs.frozen
class RequestSettled:
    """A request ended. The outcome of a request that was cancelled after its bytes left is UNKNOWN."""

    endpoint: str
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    seconds: float
    cancelled: bool = False

    def __str__(self) -> str:
        how = ", cancelled" if self.cancelled else ""
        attempts = quantity(len(self.attempts), "attempt")
        return f"{self.endpoint}: {self.outcome.name} after {attempts}, {self.seconds:.3f} s{how}"


@attrs.frozen
class SharedLimitLost:
    """The server of a shared limit is unavailable. This process continues with its share of the limit.

    Attributes:
        limit: Name of the limit.
        rate: Requests per second of this process from now on.
        processes: Last known number of processes that share the limit.
        reason: Error text.
    """

    limit: str
    rate: float
    processes: int
    reason: str

    def __str__(self) -> str:
        return (
            f"the shared limit {self.limit!r} is unavailable ({self.reason});"
            f" continuing at {self.rate:.3g}/s, the share of one of {self.processes}"
        )


@attrs.frozen
class SharedLimitRestored:
    """A shared limit is available again after `seconds`; `processes` have returned to it so far."""

    limit: str
    seconds: float
    processes: int

    def __str__(self) -> str:
        return f"the shared limit {self.limit!r} is back after {self.seconds:.3g} s; processes so far: {self.processes}"


HookEvent: TypeAlias = (
    RequestStarted
    | RequestWaiting
    | RateLimited
    | AttemptFailed
    | RequestSettled
    | SharedLimitLost
    | SharedLimitRestored
)


class Hook(Protocol):
    """A callable that receives events. It runs in the event loop, so it must not block."""

    def __call__(self, event: HookEvent, /) -> object:
        """Handle an event. An exception is logged and otherwise ignored, so it cannot break a send."""
        ...


_WARNINGS = RateLimited | SharedLimitLost | SharedLimitRestored


def log_event(event: HookEvent, /) -> None:
    """Log an event to the logger ``callsavvy_async``, without personal data.

    Rate limits, retries and shared limits are WARNING; a final failure is INFO, because it is raised too; the rest DEBUG.
    """
    if isinstance(event, AttemptFailed):
        level = logging.INFO if event.retry_in is None else logging.WARNING
    else:
        level = logging.WARNING if isinstance(event, _WARNINGS) else logging.DEBUG
    _log.log(level, "%s", event)


class Hooks:
    """Calls each hook in order, and logs their exceptions."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self._beside_log = any(hook is not log_event for hook in hooks)

    @property
    def listening(self) -> bool:
        """True if a hook receives the start and end of requests. Otherwise the client skips these events."""
        return self._beside_log or _log.isEnabledFor(logging.DEBUG)

    def __call__(self, event: HookEvent) -> None:
        """Call each hook with an event."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - a hook must not break a send
                _log.exception("the hook %r failed on %s", hook, type(event).__name__)
