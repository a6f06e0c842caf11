"""Events of a client's requests, the hooks that receive them, and the logging hook.

All events of one request carry its `request_id`: 16 hexadecimal digits, random, and so unique among processes. Attempts are
numbered from 1.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeAlias

import attrs

from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.transport.request_context import BulkChunk
from callsavvy_async.wording import quantity

_log = logging.getLogger("callsavvy_async")


@attrs.frozen
class RequestStarted:
    """A request has started.

    Attributes:
        endpoint: Endpoint of the request.
        request_id: Identifier of the request.
        url: URL of the request; it holds neither keys nor parameters.
        chunk: The chunk that it carries, for a request of a bulk send or campaign.
        headers: Header fields to send with every attempt. A hook may add some, such as ``traceparent``.
    """

    endpoint: str
    request_id: str = attrs.field(kw_only=True)
    url: str = attrs.field(default="", kw_only=True)
    chunk: BulkChunk | None = attrs.field(default=None, kw_only=True)
    headers: dict[str, str] = attrs.field(factory=dict[str, str], kw_only=True, repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.endpoint} {self.request_id}: starts"


@attrs.frozen
class RequestWaiting:
    """A request waits for its turn.

    Attributes:
        endpoint: Endpoint of the request.
        seconds: Expected seconds, assuming that the requests ahead start at the estimated limit; None if unknown.
        why: Reason: "learned rate", "fixed rate", "cold start", "in flight" or "rate-limited".
        ahead: Number of waiting requests that go first.
        request_id: Identifier of the request.
        number: Number of the attempt that waits, from 1.
    """

    endpoint: str
    seconds: float | None
    why: str
    ahead: int = 0
    request_id: str = attrs.field(kw_only=True)
    number: int = attrs.field(default=1, kw_only=True)

    def __str__(self) -> str:
        expected = "" if self.seconds is None else f" {self.seconds:.3g} s"
        return f"{self.endpoint} {self.request_id}: waits{expected}: {self.why}, {self.ahead} ahead"


@attrs.frozen
class RateLimited:
    """A request was rate-limited.

    Attributes:
        endpoint: Endpoint of the request.
        seconds: Seconds for which all requests of the client pause; 0 if a shared limit decides later.
        retry_after: Seconds that the API asked for; None if it asked for none.
        request_id: Identifier of the request.
        number: Number of the rate-limited attempt, from 1.
    """

    endpoint: str
    seconds: float
    retry_after: float | None
    request_id: str = attrs.field(kw_only=True)
    number: int = attrs.field(default=1, kw_only=True)

    def __str__(self) -> str:
        asked = "no Retry-After" if self.retry_after is None else f"Retry-After {self.retry_after:g} s"
        pause = f" for {self.seconds:.3g} s" if self.seconds else ""
        return f"{self.endpoint} {self.request_id}: rate-limited ({asked}); all requests pause{pause}"


@attrs.frozen
class AttemptFailed:
    """An attempt failed.

    Attributes:
        endpoint: Endpoint of the request.
        attempt: The attempt.
        number: Number of the attempt, from 1.
        retry_in: Seconds until the next attempt; 0 means at its next turn, None means never.
        request_id: Identifier of the request.
    """

    endpoint: str
    attempt: Attempt
    number: int
    retry_in: float | None
    request_id: str = attrs.field(kw_only=True)

    def __str__(self) -> str:
        later = f"in {self.retry_in:.3g} s" if self.retry_in else "at its next turn"
        then = "giving up" if self.retry_in is None else f"retrying {later}"
        attempt = self.attempt
        failed = f"attempt {self.number} failed: {attempt.reason} ({attempt.outcome.name})"
        return f"{self.endpoint} {self.request_id}: {failed}; {then}"


@attrs.frozen
class RequestSettled:
    """A request ended.

    Attributes:
        endpoint: Endpoint of the request.
        outcome: Outcome of the request; UNKNOWN if it was cancelled after its bytes left.
        attempts: The completed attempts, in order.
        seconds: Seconds since its start, with waits and retries.
        cancelled: True if it was cancelled.
        request_id: Identifier of the request.
        chunk: The chunk that it carried, for a request of a bulk send or campaign.
        cost: Units that the response reports; None if it reports none.
    """

    endpoint: str
    outcome: Outcome
    attempts: tuple[Attempt, ...]
    seconds: float
    cancelled: bool = False
    request_id: str = attrs.field(kw_only=True)
    chunk: BulkChunk | None = attrs.field(default=None, kw_only=True)
    cost: Decimal | None = attrs.field(default=None, kw_only=True)

    def __str__(self) -> str:
        how = ", cancelled" if self.cancelled else ""
        attempts = quantity(len(self.attempts), "attempt")
        return f"{self.endpoint} {self.request_id}: {self.outcome.name} after {attempts}, {self.seconds:.3f} s{how}"


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
    """A shared limit is available again.

    Attributes:
        limit: Name of the limit.
        seconds: Seconds for which it was unavailable.
        processes: Number of processes that have returned to it so far.
    """

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
    """A callable that receives events. It runs in the event loop, so it must not block.

    If it has an attribute ``is_listening`` that is False when a request starts, the start and end of the request are not made
    for it.
    """

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
    if _log.isEnabledFor(level):
        _log.log(level, "%s", event, extra=event_fields(event))


def event_fields(event: HookEvent) -> Mapping[str, object]:
    """Return an event as a flat mapping for structured logs, without personal data.

    Its keys are ``event``, the name of the class, and the event's attributes. Enums are their values, and decimals are texts.
    The attempts are mappings, and ``headers`` is left out.
    """
    fields = attrs.asdict(event, filter=_is_logged, value_serializer=_plain_value)
    return {"event": type(event).__name__, **fields}


def _is_logged(field: attrs.Attribute[object], _: object) -> bool:
    return field.name != "headers"


def _plain_value(_: object, __: object, value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value


class Hooks:
    """Calls each hook in order, and logs their exceptions."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self._listeners = tuple(hook for hook in hooks if hook is not log_event)

    @property
    def listening(self) -> bool:
        """True if a hook receives the start and end of requests. Otherwise the client skips these events."""
        for hook in self._listeners:
            if getattr(hook, "is_listening", True):
                return True
        return _log.isEnabledFor(logging.DEBUG)

    def __call__(self, event: HookEvent) -> None:
        """Call each hook with an event."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - a hook must not break a send
                extra = {"request_id": getattr(event, "request_id", None)}
                _log.exception("the hook %r failed on %s", hook, type(event).__name__, extra=extra)
