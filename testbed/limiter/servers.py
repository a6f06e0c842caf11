# ruff: noqa: ARG002  # one signature for all shapes; none needs every argument
"""Servers with a hidden limit. Each request gets one `Answer`.

`share` is the current factor of the nominal limit, so that a limit can halve, double or vanish during a run. A rejected
request does not count against the limit, unless a server says so.
"""

from __future__ import annotations

import math
import random
from collections import deque
from enum import Enum
from typing import Protocol

import attrs


class Tell(Enum):
    """The information that a server adds to the status 429."""

    NOTHING = "bare"
    RETRY_AFTER = "Retry-After"
    HEADERS = "RateLimit headers"


@attrs.frozen
class Answer:
    """The response to a request: its status, the seconds of its processing, and its headers."""

    status: int
    service: float = 0.0
    retry_after: float | None = None
    remaining: int | None = None
    reset: float | None = None


class Server(Protocol):
    """A hidden limit. `rate` is the maximum sustained throughput at full share, in requests per second."""

    rate: float

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Decide about a request that reaches the server at `now`."""
        ...

    def leave(self, now: float) -> None:
        """Note the end of an accepted request."""
        ...


class _Counted:
    """Base of the three limits that count requests."""

    tell: Tell

    def leave(self, now: float) -> None:
        """Do nothing: the end of a request does not affect a counter."""

    def _answer(self, *, accepted: bool, remaining: int, reset: float) -> Answer:
        in_headers = self.tell is Tell.HEADERS
        wait = math.ceil(reset) if self.tell is not Tell.NOTHING and not accepted else None
        return Answer(
            200 if accepted else 429,
            retry_after=None if wait is None else float(max(1, wait)),
            remaining=remaining if in_headers else None,
            reset=float(math.ceil(reset)) if in_headers else None,
        )


@attrs.define
class TokenBucket(_Counted):
    """Gains `rate` tokens per second and keeps at most `burst`. It starts full."""

    rate: float
    burst: float
    tell: Tell = Tell.NOTHING
    _tokens: float = attrs.field(init=False)
    _at: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Take one token, or return a 429."""
        rate = self.rate * share
        self._tokens = min(self.burst, self._tokens + (now - self._at) * rate)
        self._at = now
        accepted = self._tokens >= 1.0
        if accepted:
            self._tokens -= 1.0
            return self._answer(accepted=True, remaining=int(self._tokens), reset=(self.burst - self._tokens) / rate)
        return self._answer(accepted=False, remaining=0, reset=(1.0 - self._tokens) / rate)


@attrs.define
class FixedWindow(_Counted):
    """Accepts `count` requests in each window of `seconds`. The first window begins at `phase`."""

    count: int
    seconds: float
    tell: Tell = Tell.NOTHING
    phase: float = 0.0
    rate: float = attrs.field(init=False)
    _window: int = attrs.field(init=False, default=-1)
    _used: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.rate = self.count / self.seconds

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Count the request in its window, or return a 429."""
        window = math.floor((now - self.phase) / self.seconds)
        if window != self._window:
            self._window, self._used = window, 0
        reset = self.phase + (window + 1) * self.seconds - now
        allowed = round(self.count * share)
        accepted = self._used < allowed
        self._used += accepted
        return self._answer(accepted=accepted, remaining=max(0, allowed - self._used), reset=reset)


@attrs.define
class SlidingWindow(_Counted):
    """Accepts `count` requests in any interval of `seconds`. With `counts_refused`, 429s count as well."""

    count: int
    seconds: float
    tell: Tell = Tell.NOTHING
    counts_refused: bool = False
    rate: float = attrs.field(init=False)
    _log: deque[float] = attrs.field(init=False, factory=deque)

    def __attrs_post_init__(self) -> None:
        self.rate = self.count / self.seconds

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Log the request, or return a 429."""
        log = self._log
        while log and log[0] <= now - self.seconds:
            log.popleft()
        allowed = round(self.count * share)
        accepted = len(log) < allowed
        if accepted or self.counts_refused:
            log.append(now)
        reset = log[0] + self.seconds - now if log else 0.0
        return self._answer(accepted=accepted, remaining=max(0, allowed - len(log)), reset=reset)


@attrs.define
class ConcurrencyLimit:
    """Accepts `slots` requests at a time. A request takes `service` seconds on average."""

    slots: int
    service: float = 0.225
    tell: Tell = Tell.NOTHING
    rate: float = attrs.field(init=False)
    _busy: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.rate = self.slots / self.service

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Occupy a slot, or return a 429."""
        if self._busy >= max(1, round(self.slots * share)):
            return Answer(429)
        self._busy += 1
        return Answer(200, service=self.service * rng.uniform(0.25, 1.75))

    def leave(self, now: float) -> None:
        """Free the slot."""
        self._busy -= 1


@attrs.define
class Queueing:
    """Queues all requests for its `workers`. A gateway responds with a 504 after `patience` seconds.

    The server still processes a request after its 504, so the request's outcome is unknown.
    """

    workers: int
    service: float = 0.225
    patience: float = 5.0
    rate: float = attrs.field(init=False)
    _free_at: list[float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rate = self.workers / self.service
        self._free_at = [0.0] * self.workers

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Queue the request for the worker that is free first."""
        first = min(range(self.workers), key=self._free_at.__getitem__)
        service = self.service * rng.uniform(0.25, 1.75) / share
        self._free_at[first] = max(now, self._free_at[first]) + service
        wait = self._free_at[first] - now
        return Answer(504, service=self.patience) if wait > self.patience else Answer(200, service=wait)

    def leave(self, now: float) -> None:
        """Do nothing: a worker is free after the request's service time."""


@attrs.define
class Degrading:
    """Accepts all requests. Above `workers` requests at a time, the service time grows with the square of the load."""

    workers: int
    service: float = 0.225
    patience: float = 5.0
    rate: float = attrs.field(init=False)
    _busy: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.rate = self.workers / self.service

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Serve the request at the speed of the current load."""
        self._busy += 1
        load = max(1.0, self._busy / (self.workers * share))
        service = self.service * rng.uniform(0.25, 1.75) * load * load
        return Answer(504, service=self.patience) if service > self.patience else Answer(200, service=service)

    def leave(self, now: float) -> None:
        """Reduce the load."""
        self._busy -= 1
