"""Random servers: their limit, their headers, their latency, and their changes during a run.

A server has a list of *limits*. It accepts a request that all of them accept, and only then all of them count it. `share`
is the current factor of the nominal limit. Rates are requests of mean weight per second.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Protocol

import attrs

CAP = 64
"""Maximum number of requests in flight of every client."""
KINDS = (
    *("bucket",) * 3,
    *("fixed", "sliding", "two counters", "several", "recipients") * 2,
    *("concurrency", "queue", "degrading"),
)
TELLS = ("none",) * 6 + ("exact", "up", "up", "up", "down", "doubled", "halved", "wrong")


@attrs.frozen
class Draw:
    """A random server and its environment. Its repr is sufficient to run it again.

    Attributes:
        kind: Kind of the limit.
        rate: Requests per second of the tightest limit.
        burst: Capacity of a bucket in requests.
        window: Window in seconds. 0 without a window.
        slots: Maximum number of requests in flight, for a concurrency limit.
        second: Rate and burst of a second limit, a bucket. None for a single limit.
        weight: Maximum number of recipients of a request, with a uniform distribution.
        phase: Elapsed part of the first window at the start of the run.
        power: Exponent of a degrading server's slow-down.
        latency: Median seconds from sending to the response.
        away: Part of the latency that the network takes.
        spread: Sigma of the log-normal distribution of both parts of the latency.
        tail: Share of the requests that take five times as long.
        change: Factor of the limit from `changes_at` on.
        changes_at: Time of the change as a part of the run. 1 for a constant limit.
        others: Part of the limit that other users of the account request between `others_from` and `others_until`.
        tell: Form of Retry-After.
        stray: Share of the requests with a random 500.
    """

    kind: str
    rate: float
    burst: float
    window: float
    slots: int
    second: tuple[float, float] | None
    weight: int
    phase: float
    power: float
    latency: float
    away: float
    spread: float
    tail: float
    change: float
    changes_at: float
    others: float
    others_from: float
    others_until: float
    tell: str
    stray: float

    @property
    def mean_weight(self) -> float:
        """Mean number of recipients of a request."""
        return (1 + self.weight) / 2.0

    def share(self, part: float) -> float:
        """Return the factor of the nominal limit after this part of the run."""
        return self.change if part >= self.changes_at else 1.0

    def left(self, part: float) -> float:
        """Return the part of the nominal limit that other users leave."""
        return self.share(part) - (self.others if self.others_from <= part < self.others_until else 0.0)


def _between(rng: random.Random, least: float, most: float) -> float:
    return math.exp(rng.uniform(math.log(least), math.log(most)))


def draw(seed: int, number: int) -> Draw:
    """Return the server with this number."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.choice(KINDS)
    rate = _between(rng, 0.2, 2000.0)
    windowed = kind in {"fixed", "sliding", "two counters"} or (kind == "several" and rng.random() < 0.6)
    window = round(_between(rng, max(1.0, 2.0 / rate), 3600.0), 1) if windowed else 0.0
    if windowed:
        rate = max(2, round(rate * window)) / window
    latency = _between(rng, 0.005, 1.5)
    slots = round(_between(rng, 1.0, 60.0)) if kind in {"concurrency", "queue", "degrading"} else 0
    away = rng.uniform(0.1, 0.6)
    if slots:
        rate = slots / (latency * (1.0 - away))
    second = None
    if kind == "several":
        second = (rate * _between(rng, 1.05, 4.0), float(round(_between(rng, 1.0, max(2.0, 5.0 * rate)))))
    changes = rng.random() < 0.3 and not slots
    shared = rng.random() < 0.2 and not slots
    steady = rng.random() < 0.5
    weight = rng.choice((5, 10, 30)) if kind == "recipients" else 1
    return Draw(
        kind=kind,
        rate=rate,
        burst=float(round(_between(rng, 1.0, max(2.0, 60.0 * rate)))),
        window=window,
        slots=slots,
        second=second,
        weight=weight,
        phase=rng.random(),
        power=rng.uniform(1.2, 2.5),
        latency=latency,
        away=away,
        spread=rng.choice((0.05, 0.2, 0.5)),
        tail=0.02 if rng.random() < 0.4 else 0.0,
        change=rng.choice((0.2, 0.5, 2.0, 5.0)) if changes else 1.0,
        changes_at=rng.uniform(0.3, 0.7) if changes else 1.0,
        others=rng.uniform(0.1, 0.5) * 0.2 if shared and changes else rng.uniform(0.1, 0.5) if shared else 0.0,
        others_from=0.0 if steady else rng.uniform(0.1, 0.5),
        others_until=1.0 if steady else rng.uniform(0.6, 0.9),
        tell=rng.choice(TELLS),
        stray=rng.choice((0.0, 0.0, 0.0, 0.001, 0.01)),
    )


class Limit(Protocol):
    """One limit of a server."""

    def wait(self, now: float, weight: float, share: float) -> float:
        """Return the seconds until a request of this weight can be accepted. 0 for now."""
        ...

    def count(self, weight: float) -> None:
        """Count an accepted request."""
        ...


@attrs.define
class Bucket:
    """Gains `rate` tokens per second and keeps at most `burst`."""

    rate: float
    burst: float
    tokens: float
    at: float = 0.0

    def wait(self, now: float, weight: float, share: float) -> float:
        """See `Limit`."""
        rate = self.rate * share
        self.tokens = min(self.burst, self.tokens + (now - self.at) * rate)
        self.at = now
        return 0.0 if self.tokens >= weight else (weight - self.tokens) / rate

    def count(self, weight: float) -> None:
        """See `Limit`."""
        self.tokens -= weight


@attrs.define
class FixedRate:
    """Accepts `quota` requests in each window of `seconds`."""

    quota: float
    seconds: float
    phase: float
    window: int = -1
    used: float = 0.0

    def wait(self, now: float, weight: float, share: float) -> float:
        """See `Limit`."""
        at = now / self.seconds + self.phase
        if int(at) != self.window:
            self.window, self.used = int(at), 0.0
        admitted = self.used + weight <= max(weight, round(self.quota * share))
        return 0.0 if admitted else (self.window + 1 - at) * self.seconds

    def count(self, weight: float) -> None:
        """See `Limit`."""
        self.used += weight


@attrs.define
class Sliding:
    """Accepts `quota` requests in any interval of `seconds`."""

    quota: float
    seconds: float
    log: deque[float] = attrs.field(factory=deque)
    at: float = 0.0

    def wait(self, now: float, weight: float, share: float) -> float:
        """See `Limit`."""
        log, self.at = self.log, now
        while log and log[0] <= now - self.seconds:
            log.popleft()
        return 0.0 if len(log) + weight <= max(1, round(self.quota * share)) else log[0] + self.seconds - now

    def count(self, weight: float) -> None:  # noqa: ARG002
        """See `Limit`. This limit gets only requests of weight 1."""
        self.log.append(self.at)


@attrs.define
class TwoCounters:
    """The usual approximation of a sliding window: the last fixed window counts in proportion to its overlap."""

    quota: float
    seconds: float
    phase: float
    window: int = -1
    used: float = 0.0
    before: float = 0.0

    def wait(self, now: float, weight: float, share: float) -> float:
        """See `Limit`."""
        at = now / self.seconds + self.phase
        number = int(at)
        if number != self.window:
            self.before = self.used if number == self.window + 1 else 0.0
            self.window, self.used = number, 0.0
        quota, over = max(weight, round(self.quota * share)), at - number
        if self.before * (1.0 - over) + self.used + weight <= quota:
            return 0.0
        if self.before > 0.0 and self.used + weight <= quota:
            return max(1e-3, (1.0 - (quota - self.used - weight) / self.before - over) * self.seconds)
        return (1.0 - over) * self.seconds + 1e-3

    def count(self, weight: float) -> None:
        """See `Limit`."""
        self.used += weight


@attrs.define
class Slots:
    """Accepts a number of requests at a time."""

    slots: int
    guess: float
    busy: int = 0

    def wait(self, now: float, weight: float, share: float) -> float:  # noqa: ARG002
        """See `Limit`. The wait for a free slot is a guess."""
        return 0.0 if self.busy < self.slots else self.guess

    def count(self, weight: float) -> None:  # noqa: ARG002
        """See `Limit`."""
        self.busy += 1


def limits_of(one: Draw) -> list[Limit]:
    """Return new limits of a server."""
    quota = round(one.rate * one.window)
    found: list[Limit] = []
    if one.kind in {"fixed", "several"} and one.window:
        found.append(FixedRate(quota, one.window, one.phase))
    elif one.kind == "sliding":
        found.append(Sliding(quota, one.window))
    elif one.kind == "two counters":
        found.append(TwoCounters(quota, one.window, one.phase))
    elif one.kind in {"bucket", "several"}:
        found.append(Bucket(one.rate, one.burst, one.burst))
    elif one.kind == "recipients":
        burst = max(one.burst * one.mean_weight, 1.0 * one.weight)
        found.append(Bucket(one.rate * one.mean_weight, burst, burst))
    elif one.kind == "concurrency":
        found.append(Slots(one.slots, one.latency))
    if one.second is not None:
        found.append(Bucket(*one.second, one.second[1]))
    return found
