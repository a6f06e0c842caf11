"""Rate limits that the stand-in can hold its clients to. The document names none, so all are guesses to learn from.

A limit is asked once per request, on a monotonic clock, and answers with an `Admission`; how a refusal is told to the
client (with Retry-After or without, with RateLimit headers or without) is set on the limit too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Admission:
    """A limit's answer to one request."""

    admitted: bool
    quota: int
    """Requests per window, or at once."""
    window: float
    """Seconds in which the quota renews itself; 0 where it does not depend on time."""
    remaining: int
    """Requests that would still be admitted now."""
    wait: float
    """Seconds until a request could be admitted; 0 while some remain."""


@dataclass(slots=True, kw_only=True)
class Limit(ABC):
    """What all limits share: how they show themselves."""

    retry_after: Literal["none", "seconds", "http-date"] = "seconds"
    """How a 429 says when to come back; both forms have whole seconds, rounded up."""
    headers: Literal["none", "ietf", "x-ratelimit"] = "none"
    """`ietf` is RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), `x-ratelimit` the older three."""

    @abstractmethod
    def admit(self, now: float) -> Admission:
        """Let one request in, or not, at this monotonic second."""

    def release(self) -> None:  # noqa: B027  (most limits do not count what is in flight)
        """Learn that a request that was admitted has been answered."""

    def headers_for(self, admission: Admission, *, wall: datetime) -> dict[str, str]:
        """Tell the client about an admission, by the wall clock where a date is asked for."""
        told: dict[str, str] = {}
        seconds = math.ceil(admission.wait)
        if self.headers == "ietf":
            told["ratelimit-policy"] = f'"default";q={admission.quota};w={math.ceil(admission.window)}'
            told["ratelimit"] = f'"default";r={admission.remaining};t={seconds}'
        elif self.headers == "x-ratelimit":
            told["x-ratelimit-limit"] = str(admission.quota)
            told["x-ratelimit-remaining"] = str(admission.remaining)
            told["x-ratelimit-reset"] = str(seconds)
        if not admission.admitted and self.retry_after == "seconds":
            told["retry-after"] = str(seconds)
        elif not admission.admitted and self.retry_after == "http-date":
            moment = wall.astimezone(UTC) + timedelta(seconds=admission.wait)
            whole = moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))
            told["retry-after"] = format_datetime(whole, usegmt=True)
        return told


@dataclass(slots=True)
class TokenBucket(Limit):
    """`rate` requests per second on average, up to `burst` at once."""

    rate: float
    burst: float = 1
    _tokens: float = field(init=False, repr=False)
    _updated: float = field(init=False, repr=False, default=-math.inf)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def admit(self, now: float) -> Admission:
        """Take one token if a whole one is there."""
        self._tokens = min(self.burst, self._tokens + self.rate * (now - self._updated))
        self._updated = now
        admitted = self._tokens >= 1
        self._tokens -= admitted
        wait = max(0.0, (1 - self._tokens) / self.rate)
        return Admission(admitted, math.floor(self.burst), self.burst / self.rate, math.floor(self._tokens), wait)


@dataclass(slots=True)
class FixedWindow(Limit):
    """`count` requests in every window of `seconds`; the windows are those of the clock."""

    count: int
    seconds: float
    _window: float = field(init=False, repr=False, default=-math.inf)
    _used: int = field(init=False, repr=False, default=0)

    def admit(self, now: float) -> Admission:
        """Use one place of the present window if any is left."""
        window = now // self.seconds
        if window != self._window:
            self._window, self._used = window, 0
        admitted = self._used < self.count
        self._used += admitted
        remaining = self.count - self._used
        wait = 0.0 if remaining else (window + 1) * self.seconds - now
        return Admission(admitted, self.count, self.seconds, remaining, wait)


@dataclass(slots=True)
class SlidingWindow(Limit):
    """`count` requests in any stretch of `seconds`."""

    count: int
    seconds: float
    _admitted: deque[float] = field(init=False, repr=False, default_factory=deque)

    def admit(self, now: float) -> Admission:
        """Admit if fewer than `count` were admitted in the last `seconds`."""
        while self._admitted and self._admitted[0] <= now - self.seconds:
            self._admitted.popleft()
        admitted = len(self._admitted) < self.count
        if admitted:
            self._admitted.append(now)
        remaining = self.count - len(self._admitted)
        wait = 0.0 if remaining else self._admitted[0] + self.seconds - now
        return Admission(admitted, self.count, self.seconds, remaining, wait)


@dataclass(slots=True)
class Concurrency(Limit):
    """`count` requests at a time; a refusal asks to come back in `wait` seconds, as good a guess as any."""

    count: int
    wait: float = 1.0
    _in_flight: int = field(init=False, repr=False, default=0)

    def admit(self, now: float) -> Admission:
        """Admit if fewer than `count` are being worked on; time plays no part."""
        del now
        admitted = self._in_flight < self.count
        self._in_flight += admitted
        remaining = self.count - self._in_flight
        return Admission(admitted, self.count, 0.0, remaining, 0.0 if remaining else self.wait)

    def release(self) -> None:
        """Give the place back."""
        self._in_flight -= 1
