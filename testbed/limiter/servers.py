# ruff: noqa: ARG002  # one signature for all shapes; none needs every argument
"""Servers with a hidden limit, as a client meets them: each request in, one `Answer` out.

`share` is the part of the nominal limit in force at that moment, so that a limit can halve, come back or vanish while
a run goes on. A refused request is never counted against the limit, except where a shape says so.
"""

from __future__ import annotations

import math
import random
from collections import deque
from enum import Enum
from typing import Protocol

import attrs


class Tell(Enum):
    """What a server says beside the bare status 429."""

    NOTHING = "bare"
    RETRY_AFTER = "Retry-After"
    HEADERS = "RateLimit headers"


@attrs.frozen
class Answer:
    """What one request comes to: the status, how long the server works on it, and what its headers tell."""

    status: int
    service: float = 0.0
    retry_after: float | None = None
    remaining: int | None = None
    reset: float | None = None


class Server(Protocol):
    """One hidden limit. `rate` is the highest lasting throughput in requests per second at full share."""

    rate: float

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Judge one request that reaches the server at `now`."""
        ...

    def leave(self, now: float) -> None:
        """Note that an accepted request has been received_at."""
        ...


class _Counted:
    """What the three counting shapes share: refuse or accept by a counter, and tell as much as `tell` allows."""

    tell: Tell

    def leave(self, now: float) -> None:
        """Counters do not care when a request ends."""

    def _answer(self, *, accepted: bool, remaining: int, reset: float) -> Answer:
        told = self.tell is Tell.HEADERS
        wait = math.ceil(reset) if self.tell is not Tell.NOTHING and not accepted else None
        return Answer(
            200 if accepted else 429,
            retry_after=None if wait is None else float(max(1, wait)),
            remaining=remaining if told else None,
            reset=float(math.ceil(reset)) if told else None,
        )


@attrs.define
class TokenBucket(_Counted):
    """`rate` tokens per second, at most `burst` of them kept; the bucket starts full."""

    rate: float
    burst: float
    tell: Tell = Tell.NOTHING
    _tokens: float = attrs.field(init=False)
    _at: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Take one token, or refuse."""
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
    """`count` requests in each window of `seconds`; windows begin at `phase` and every `seconds` after it."""

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
        """Count the request in its window, or refuse."""
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
    """At most `count` requests in any stretch of `seconds`; with `counts_refused` a refusal uses the window up too."""

    count: int
    seconds: float
    tell: Tell = Tell.NOTHING
    counts_refused: bool = False
    rate: float = attrs.field(init=False)
    _log: deque[float] = attrs.field(init=False, factory=deque)

    def __attrs_post_init__(self) -> None:
        self.rate = self.count / self.seconds

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Log the request, or refuse."""
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
    """Refuses whatever would be more than `slots` requests at once; serving one takes `service` seconds on average."""

    slots: int
    service: float = 0.225
    tell: Tell = Tell.NOTHING
    rate: float = attrs.field(init=False)
    _busy: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.rate = self.slots / self.service

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Occupy a slot, or refuse."""
        if self._busy >= max(1, round(self.slots * share)):
            return Answer(429)
        self._busy += 1
        return Answer(200, service=self.service * rng.uniform(0.25, 1.75))

    def leave(self, now: float) -> None:
        """Free the slot."""
        self._busy -= 1


@attrs.define
class Queueing:
    """Never refuses: `workers` serve first come first served, and a gateway answers 504 after `patience` seconds.

    The work of a request whose client got a 504 is still done: that is what makes the outcome unknown.
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
        """Queue behind the worker who is free first."""
        first = min(range(self.workers), key=self._free_at.__getitem__)
        service = self.service * rng.uniform(0.25, 1.75) / share
        self._free_at[first] = max(now, self._free_at[first]) + service
        wait = self._free_at[first] - now
        return Answer(504, service=self.patience) if wait > self.patience else Answer(200, service=wait)

    def leave(self, now: float) -> None:
        """Workers free themselves."""


@attrs.define
class Degrading:
    """Never refuses: past `workers` requests at once the service time grows with the square of the load."""

    workers: int
    service: float = 0.225
    patience: float = 5.0
    rate: float = attrs.field(init=False)
    _busy: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.rate = self.workers / self.service

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Serve at the speed that the load allows."""
        self._busy += 1
        load = max(1.0, self._busy / (self.workers * share))
        service = self.service * rng.uniform(0.25, 1.75) * load * load
        return Answer(504, service=self.patience) if service > self.patience else Answer(200, service=service)

    def leave(self, now: float) -> None:
        """Lower the load."""
        self._busy -= 1
