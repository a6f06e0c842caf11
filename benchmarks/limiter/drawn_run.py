"""Run a client against a drawn server in virtual time, and find the best that an informed client can do there.

The *informed* client knows the limit, its changes and the load of other users. It paces evenly at the best of a few factors
with at most 1 % of 429s. For a concurrency limit it keeps the best number in flight.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

import attrs

from benchmarks.limiter.drawn import CAP, Draw, Slots, limits_of
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import Unlimited
from callsavvy_async.policy.pacer import Pacer

FACTORS = (1.0, 0.99, 0.98, 0.965, 0.95, 0.93, 0.9, 0.87, 0.83, 0.78, 0.7, 0.6)
COLD = 40.0
_ADMITTED, _FAILED, _REFUSED = Feedback(Signal.ADMITTED), Feedback(Signal.FAILED), Feedback(Signal.RATE_LIMITED)
_WAKE, _ARRIVE, _END = 0, 1, 2


@attrs.define
class Tally:
    """The figures of one run."""

    accepted: int = 0
    refused: int = 0
    cold: int = 0
    """Number of 429s in the first 40 s."""
    seconds: float = 0.0

    @property
    def refused_share(self) -> float:
        """Percentage of 429s among all responses."""
        return 100.0 * self.refused / max(1, self.accepted + self.refused)


@attrs.define
class Evenly(Unlimited):
    """The informed client: one request every `1 / rate(now)` seconds."""

    rate: Callable[[float], float] = attrs.field(kw_only=True)
    _next: float = attrs.field(default=0.0, init=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        wait = Unlimited.delay(self, now)
        return max(self._next - now, wait)

    weight: float = 1.0
    """Weight of the next request, in mean requests."""

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        rate = self.rate(now)
        self._next = max(self._next, now - min(0.05, 1.0 / rate)) + self.weight / rate
        return Unlimited.sent(self, now)


def play(one: Draw, pacer: Pacer, *, seconds: float, seed: int, most_refused: float = math.inf) -> Tally:
    """Run a client with endless work against a server."""
    return _Run(one, pacer, seconds, random.Random(seed), most_refused).go()


class _Run:
    def __init__(self, one: Draw, pacer: Pacer, seconds: float, rng: random.Random, most_refused: float) -> None:
        self.one, self.pacer, self.seconds, self.rng, self.most = one, pacer, seconds, rng, most_refused
        self.limits = limits_of(one)
        self.slots = next((limit for limit in self.limits if isinstance(limit, Slots)), None)
        self.events: list[tuple[float, int, int, Any]] = []
        self.order, self.wakes_at, self.busy = 0, math.inf, 0
        self.tally = Tally()
        self.free_at = [0.0] * one.slots
        self.weights: list[int] = []
        self.others_at = one.others_from * seconds

    def go(self) -> Tally:
        now = 0.0
        self.dispatch(now)
        while self.events:
            now, _, what, of = heapq.heappop(self.events)
            if now > self.seconds or self.tally.refused > self.most:
                break
            if what == _ARRIVE:
                self.arrive(now, of)
                continue
            if what == _END:
                self.end(now, *of)
            elif now >= self.wakes_at:
                self.wakes_at = math.inf
            else:
                continue
            self.dispatch(now)
        self.tally.seconds = min(now, self.seconds)
        return self.tally

    def push(self, at: float, what: int, of: Any) -> None:
        self.order += 1
        heapq.heappush(self.events, (at, self.order, what, of))

    def dispatch(self, now: float) -> None:
        pacer = self.pacer
        while (wait := pacer.delay(now)) <= 0.0:
            weight = self.weights.pop() if self.weights else self.rng.randint(1, self.one.weight)
            if isinstance(pacer, Evenly):
                pacer.weight = weight / self.one.mean_weight
            self.push(now + self.way(0.5), _ARRIVE, (pacer.sent(now), weight))
        if now + wait < self.wakes_at:
            self.wakes_at = now + max(wait, 1e-6)
            self.push(self.wakes_at, _WAKE, None)

    def way(self, part: float) -> float:
        one, rng = self.one, self.rng
        seconds = part * one.away * one.latency * math.exp(one.spread * rng.gauss(0.0, 1.0))
        return seconds * 5.0 if one.tail and rng.random() < one.tail else seconds

    def work(self, now: float) -> float:
        one, rng = self.one, self.rng
        seconds = one.latency * (1.0 - one.away) * math.exp(one.spread * rng.gauss(0.0, 1.0))
        if one.kind == "queue":
            first = min(range(one.slots), key=self.free_at.__getitem__)
            self.free_at[first] = max(now, self.free_at[first]) + seconds
            return self.free_at[first] - now
        if one.kind == "degrading":
            return seconds * math.pow(max(1.0, self.busy / one.slots), one.power)
        return seconds * 5.0 if one.tail and rng.random() < one.tail else seconds

    def arrive(self, now: float, request: tuple[Permit, int]) -> None:
        one, rng, weight = self.one, self.rng, request[1]
        if one.others:
            self.let_others_in(now)
        if one.stray and rng.random() < one.stray / 2.0:
            self.push(now + self.way(0.5), _END, (request, _FAILED, False))
            return
        wait = self.admit(now, weight)
        if wait > 0.0:
            retry_after = self.retry_after(wait)
            feedback = Feedback(Signal.RATE_LIMITED, retry_after) if retry_after else _REFUSED
            self.push(now + self.way(0.5), _END, (request, feedback, False))
            return
        self.busy += 1
        done = _FAILED if one.stray and rng.random() < one.stray / 2.0 else _ADMITTED
        self.push(now + self.work(now) + self.way(0.5), _END, (request, done, True))

    def admit(self, now: float, weight: float) -> float:
        share = self.one.share(now / self.seconds)
        wait = 0.0
        for limit in self.limits:
            wait = max(wait, limit.wait(now, weight, share))
        if wait == 0.0:
            for limit in self.limits:
                limit.count(weight)
        return wait

    def let_others_in(self, now: float) -> None:
        one = self.one
        while self.others_at < min(now, one.others_until * self.seconds):
            self.admit(self.others_at, self.rng.randint(1, one.weight))
            self.others_at += self.rng.expovariate(one.rate * one.others)

    def retry_after(self, wait: float) -> float | None:
        tell = self.one.tell
        if tell == "none":
            return None
        if tell == "wrong":
            return float(self.rng.randint(1, 10))
        factor = {"doubled": 2.0, "halved": 0.5}.get(tell, 1.0)
        seconds = wait * factor
        return math.ceil(seconds) if tell == "up" else math.floor(seconds) or None if tell == "down" else seconds

    def end(self, now: float, request: tuple[Permit, int], feedback: Feedback, admitted: bool) -> None:  # noqa: FBT001
        if admitted:
            self.busy -= 1
            if self.slots is not None:
                self.slots.busy -= 1
        if feedback is _ADMITTED:
            self.tally.accepted += 1
        elif feedback.signal is Signal.RATE_LIMITED:
            self.tally.refused += 1
            self.tally.cold += now <= COLD
            self.weights.append(request[1])
        self.pacer.done(now, request[0], feedback)


def ruler(one: Draw, *, seconds: float, seed: int) -> Tally:
    """Return the best run of the informed client."""
    best, kept = Tally(), 1
    if one.slots:
        numbers = sorted(
            {max(1, round(one.slots * factor)) for factor in (0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5)}
        )
        for number in numbers:
            run = play(one, Unlimited(max_in_flight=min(CAP, number)), seconds=min(seconds, 60.0), seed=seed)
            if run.refused_share <= 1.0 and run.accepted > best.accepted:
                best, kept = run, number
        if best.accepted and seconds > 60.0:
            best = play(one, Unlimited(max_in_flight=min(CAP, kept)), seconds=seconds, seed=seed)
        return best
    for factor in FACTORS:

        def pace(now: float, factor: float = factor) -> float:
            return factor * one.rate * one.left(now / seconds)

        best = play(one, Evenly(rate=pace), seconds=seconds, seed=seed, most_refused=max(0.013 * one.rate * seconds, 3))
        if best.refused_share <= 1.0:
            break
    return best
