"""What a client tells while it works: one callable, frozen details, logging through the same door."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import attrs

from callsavvy_async.errors import Attempt, Outcome

_log = logging.getLogger("callsavvy_async")


@attrs.frozen
class RequestStarted:
    """A request begins."""

    endpoint: str


@attrs.frozen
class RequestWaiting:
    """A request waits for its turn.

    Attributes:
        endpoint: of the request.
        seconds: how long, as far as can be told: those ahead leave as fast as the limit is believed to be; None when
            there is no telling.
        why: what holds it back: "learned rate", "fixed rate", "cold start", "in flight", or "refused, gate shut".
        ahead: how many requests that wait already go first.
    """

    endpoint: str
    seconds: float | None
    why: str
    ahead: int = 0


@attrs.frozen
class RateLimited:
    """The API refused for now; every request of the client pauses for `seconds`: 0 where other processes are asked first."""

    endpoint: str
    seconds: float
    retry_after: float | None


@attrs.frozen
class AttemptFailed:
    """One try failed; the next comes `retry_in` seconds later, at 0 when its turn comes, and never when it is None."""

    endpoint: str
    attempt: Attempt
    number: int
    retry_in: float | None


@attrs.frozen
class RequestSettled:
    """A request ended. A request that was cancelled after its request left is UNKNOWN."""

    endpoint: str
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    seconds: float
    cancelled: bool = False


@attrs.frozen
class SharedLimitLost:
    """What keeps a limit that processes share is out of reach; this one goes on alone, at a share of the limit.

    Attributes:
        limit: its name.
        rate: requests per second that this process keeps to now.
        processes: how many shared the limit when it was last seen.
        reason: what went wrong.
    """

    limit: str
    rate: float
    processes: int
    reason: str

    def __str__(self) -> str:
        return (
            f"the shared limit {self.limit!r} is out of reach ({self.reason});"
            f" going on alone at {self.rate:.3g}/s, one of {self.processes}"
        )


@attrs.frozen
class SharedLimitRestored:
    """A limit that processes share is back, after `seconds`; `processes` of them have found it so far."""

    limit: str
    seconds: float
    processes: int

    def __str__(self) -> str:
        return f"the shared limit {self.limit!r} is back after {self.seconds:.3g} s; {self.processes} share it so far"


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
    """Anything that takes an event. It is called in the event loop: be quick, do not block."""

    def __call__(self, event: HookEvent, /) -> object:
        """Take note of an event. What it raises is logged and otherwise ignored: a send is not lost to its observer."""
        ...


def log_event(event: HookEvent, /) -> None:
    """Write an event to the logger ``callsavvy_async``, without personal data.

    What slows the client down is a WARNING; a final failure is INFO, since it is raised as well; the rest is DEBUG.
    """
    match event:
        case RateLimited(endpoint, seconds, retry_after):
            asked = "no Retry-After" if retry_after is None else f"Retry-After {retry_after:g} s"
            pause = f"all requests pause for {seconds:.3g} s" if seconds else "all requests pause"
            _log.warning("%s: refused for now (%s); %s", endpoint, asked, pause)
        case AttemptFailed(endpoint, attempt, number, retry_in):
            level = logging.INFO if retry_in is None else logging.WARNING
            later = f"in {retry_in:.3g} s" if retry_in else "when its turn comes"
            then = "giving up" if retry_in is None else f"trying again {later}"
            outcome = attempt.outcome.name
            _log.log(level, "%s: attempt %d failed: %s (%s); %s", endpoint, number, attempt.reason, outcome, then)
        case RequestSettled(endpoint, outcome, attempts, seconds, cancelled):
            how = ", cancelled" if cancelled else ""
            _log.debug("%s: %s after %d attempt(s), %.3f s%s", endpoint, outcome.name, len(attempts), seconds, how)
        case RequestWaiting(endpoint, seconds, why, ahead):
            told = "" if seconds is None else f" {seconds:.3g} s"
            _log.debug("%s: waits%s: %s, %d ahead", endpoint, told, why, ahead)
        case RequestStarted(endpoint):
            _log.debug("%s: starts", endpoint)
        case SharedLimitLost() | SharedLimitRestored():
            _log.warning("%s", event)


class Hooks:
    """Calls every hook in order, and survives them."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self._beside_log = any(hook is not log_event for hook in hooks)

    @property
    def listening(self) -> bool:
        """Whether anybody wants to be told how requests begin and end; if not, the events need not be made."""
        return self._beside_log or _log.isEnabledFor(logging.DEBUG)

    def __call__(self, event: HookEvent) -> None:
        """Tell every hook."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - a send is not lost to its observer
                _log.exception("the hook %r failed on %s", hook, type(event).__name__)
