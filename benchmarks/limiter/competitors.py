# ruff: noqa: ARG002, ARG005  # one signature for all servers
"""Other controllers for comparison with the adaptive pacer, behind the same protocol.

`exact` and `aiolimiter` know the server's limit, the others must find it. The ports follow their
originals: botocore `retries/{adaptive,bucket,throttling}.py`, Netflix concurrency-limits `Gradient2Limit.java`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import Pacer, PacerSnapshot
from testbed.limiter.servers import FixedWindow, Server, SlidingWindow


@attrs.define
class _Competitor:
    """Counts requests in flight. A subclass decides when the next request may start, and learns from responses."""

    in_flight: int = 0

    def delay(self, now: float) -> float:
        return 0.0

    def sent(self, now: float) -> Permit:
        self.in_flight += 1
        return Permit(now, self.in_flight)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        self.in_flight -= 1

    def snapshot(self, now: float) -> PacerSnapshot:
        return PacerSnapshot(None, self.in_flight, 0, 0.0, 0, 0, type(self).__name__)

    def restore(self, learned: Mapping[str, object]) -> None:
        """Ignore the state of earlier runs."""


@attrs.define
class Aimd(_Competitor):
    """Adds half a request per second each second, and halves the rate on a 429, at most once a second."""

    rate: float = 10.0
    slot: float = 0.0
    grown: float = 0.0
    cut: float = -math.inf

    def delay(self, now: float) -> float:
        return max(0.0, self.slot - now)

    def sent(self, now: float) -> Permit:
        self.rate += 0.5 * (now - self.grown)
        self.grown = now
        self.slot = max(self.slot, now) + 1.0 / self.rate
        return super().sent(now)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        super().done(now, permit, feedback)
        if feedback.signal is Signal.RATE_LIMITED and permit.sent_at > self.cut:
            self.rate, self.cut = max(0.5, self.rate / 2.0), now


@attrs.define
class Cubic(_Competitor):
    """botocore's adaptive mode: CUBIC on the rate, and a token bucket of one second, off until the first 429."""

    enabled: bool = False
    rate: float = 0.5
    tokens: float = 0.0
    filled: float = 0.0
    measured: float = 0.0
    bucket: float = 0.0
    count: int = 0
    w_max: float = 0.0
    k: float = 0.0
    last_fail: float = 0.0

    def delay(self, now: float) -> float:
        if not self.enabled:
            return 0.0
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        short = 1.0 - self.tokens
        return short / self.rate if short > 1e-9 else 0.0  # rounding must not cause waits of zero seconds

    def sent(self, now: float) -> Permit:
        if self.enabled:
            self.tokens -= 1.0
        return super().sent(now)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        super().done(now, permit, feedback)
        self._measure(now)
        if feedback.signal is Signal.RATE_LIMITED:
            used = min(self.measured, self.rate) if self.enabled else self.measured
            self.w_max, self.last_fail = used, now
            self.k = (self.w_max * 0.3 / 0.4) ** (1.0 / 3.0)
            new = used * 0.7
            if not self.enabled:
                self.filled = now
            self.enabled = True
        else:
            new = 0.4 * (now - self.last_fail - self.k) ** 3 + self.w_max
        self.rate = max(0.5, min(new, 2.0 * self.measured))

    def _measure(self, now: float) -> None:
        self.count += 1
        bucket = math.floor(now * 2.0) / 2.0
        if bucket > self.bucket:
            self.measured = 0.8 * self.count / (bucket - self.bucket) + 0.2 * self.measured
            self.count, self.bucket = 0, bucket


@attrs.define
class Gradient2(_Competitor):
    """Netflix's Gradient2 on requests in flight. Like the original, it ignores 429s."""

    limit: float = 20.0
    long_rtt: float = 0.0
    samples: int = 0

    def delay(self, now: float) -> float:
        return math.inf if self.in_flight >= self.limit else 0.0

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        rtt = now - permit.sent_at
        self.samples += 1
        self.long_rtt += (rtt - self.long_rtt) * max(1.0 / self.samples, 2.0 / 601.0)
        if self.long_rtt / rtt > 2.0:
            self.long_rtt *= 0.95
        if self.in_flight >= self.limit / 2.0:
            gradient = max(0.5, min(1.0, 1.5 * self.long_rtt / rtt))
            wanted = 0.8 * self.limit + 0.2 * (self.limit * gradient + 4.0)
            self.limit = max(20.0, min(200.0, wanted))
        super().done(now, permit, feedback)


class Backoff(_Competitor):
    """tenacity's `wait_random_exponential`: each worker alone, full jitter, at most a minute.

    It ignores Retry-After, as tenacity does by default.
    """

    def backoff(self, rng: random.Random, attempt: int) -> float:
        """Return the seconds until the worker's next attempt."""
        return rng.uniform(0.0, min(60.0, 2.0**attempt))


@attrs.define
class Told(_Competitor):
    """Keeps a known rate with at most `burst` requests at once (GCRA), and respects every Retry-After."""

    rate: float = 1.0
    burst: int = 1
    arrival: float = -math.inf
    not_before: float = -math.inf

    def delay(self, now: float) -> float:
        return max(0.0, self.not_before - now, self.arrival - (self.burst - 1) / self.rate - now)

    def sent(self, now: float) -> Permit:
        self.arrival = max(self.arrival, now) + 1.0 / self.rate
        return super().sent(now)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        super().done(now, permit, feedback)
        if feedback.signal is Signal.RATE_LIMITED:
            self.not_before = max(self.not_before, now + (feedback.retry_after or 0.0))


def exact(server: Server) -> Pacer:
    """Pace evenly at 98 % of the true limit."""
    return Told(rate=0.98 * server.rate)


def aiolimiter(server: Server) -> Pacer:
    """Spend the server's window as a leaky bucket, like `AsyncLimiter(count, seconds)`."""
    burst = server.count if isinstance(server, FixedWindow | SlidingWindow) else max(1, int(server.rate))
    return Told(rate=server.rate, burst=burst)


COMPETITORS: dict[str, Callable[[Server], Pacer]] = {
    "adaptive": lambda server: Adaptive(),
    "exact x0.98 (informed)": exact,
    "aiolimiter (informed)": aiolimiter,
    "AIMD on rate": lambda server: Aimd(),
    "botocore CUBIC": lambda server: Cubic(),
    "Gradient2": lambda server: Gradient2(),
    "tenacity backoff": lambda server: Backoff(),
}
