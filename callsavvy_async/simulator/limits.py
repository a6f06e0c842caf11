"""Rate limits of the simulator. The API document names none, so all of them are hypotheses.

A limit decides about each request on a monotonic clock and returns an `Admission`. The limit also decides whether a 429
carries Retry-After and RateLimit headers.
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
    """A limit's decision about one request."""

    admitted: bool
    quota: int
    """Maximum number of requests per window, or in flight."""
    window: float
    """Seconds until the quota is renewed. 0 if the limit does not depend on time."""
    remaining: int
    """Number of requests that the limit would still admit now."""
    wait: float
    """Seconds until the next admission. 0 if `remaining` is above 0."""


@dataclass(slots=True, kw_only=True)
class Limit(ABC):
    """Base of all limits, with the headers of their responses."""

    retry_after: Literal["none", "seconds", "http-date"] = "seconds"
    """Form of Retry-After on a 429. Both forms round up to whole seconds."""
    headers: Literal["none", "ietf", "x-ratelimit"] = "none"
    """`ietf` is RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), `x-ratelimit` the older three."""

    @abstractmethod
    def admit(self, now: float) -> Admission:
        """Decide about one request at this monotonic second."""

    def release(self) -> None:  # noqa: B027  (most limits do not count requests in flight)
        """Note the end of an admitted request."""

    def headers_for(self, admission: Admission, *, wall: datetime) -> dict[str, str]:
        """Return the response headers of an admission. `wall` is the time on the wall clock, for a date.

        Args:
            admission: The decision on a request.
            wall: Time on the wall clock, for a date.
        """
        headers: dict[str, str] = {}
        seconds = math.ceil(admission.wait)
        if self.headers == "ietf":
            headers["ratelimit-policy"] = f'"default";q={admission.quota};w={math.ceil(admission.window)}'
            headers["ratelimit"] = f'"default";r={admission.remaining};t={seconds}'
        elif self.headers == "x-ratelimit":
            headers["x-ratelimit-limit"] = str(admission.quota)
            headers["x-ratelimit-remaining"] = str(admission.remaining)
            headers["x-ratelimit-reset"] = str(seconds)
        if not admission.admitted and self.retry_after == "seconds":
            headers["retry-after"] = str(seconds)
        elif not admission.admitted and self.retry_after == "http-date":
            moment = wall.astimezone(UTC) + timedelta(seconds=admission.wait)
            whole = moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))
            headers["retry-after"] = format_datetime(whole, usegmt=True)
        return headers


@dataclass(slots=True)
class TokenBucket(Limit):
    """Admits `rate` requests per second on average, and up to `burst` at once."""

    rate: float
    burst: float = 1
    _tokens: float = field(init=False, repr=False)
    _updated: float = field(init=False, repr=False, default=-math.inf)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def admit(self, now: float) -> Admission:
        """Take one token if a whole one is available."""
        self._tokens = min(self.burst, self._tokens + self.rate * (now - self._updated))
        self._updated = now
        admitted = self._tokens >= 1
        self._tokens -= admitted
        wait = max(0.0, (1 - self._tokens) / self.rate)
        return Admission(admitted, math.floor(self.burst), self.burst / self.rate, math.floor(self._tokens), wait)


@dataclass(slots=True)
class FixedWindow(Limit):
    """Admits `count` requests in every window of `seconds`, aligned with the clock."""

    count: int
    seconds: float
    _window: float = field(init=False, repr=False, default=-math.inf)
    _used: int = field(init=False, repr=False, default=0)

    def admit(self, now: float) -> Admission:
        """Admit if fewer than `count` requests were admitted in the current window."""
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
    """Admits `count` requests in any interval of `seconds`."""

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
    """Admits `count` requests at a time. A 429 suggests an arbitrary wait of `wait` seconds."""

    count: int
    wait: float = 1.0
    _in_flight: int = field(init=False, repr=False, default=0)

    def admit(self, now: float) -> Admission:
        """Admit if fewer than `count` requests are in flight, at any time."""
        del now
        admitted = self._in_flight < self.count
        self._in_flight += admitted
        remaining = self.count - self._in_flight
        return Admission(admitted, self.count, 0.0, remaining, 0.0 if remaining else self.wait)

    def release(self) -> None:
        """Free the place of an ended request."""
        self._in_flight -= 1
