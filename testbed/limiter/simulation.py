# ruff: noqa: ARG001, ARG005  # one signature for all servers
"""A discrete-event simulation: one client with endless work, one server, a virtual clock.

The client uses its pacer exactly as the real one does: `delay`, `sent`, `done`. Time jumps from event to event, so ten
minutes of traffic take about a second. Equal seeds give equal runs.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Callable
from enum import Enum, auto

import attrs

from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.policy.ratelimit_headers import RateLimitHints
from testbed.limiter.servers import Answer, Server

MOST_REFUSALS = 50_000
"""Number of 429s that ends a run, because more of them add no information."""

Latency = Callable[[random.Random, float], float]
"""Seconds from sending a request to its acceptance, given the time. A 429 takes 30 to 90 ms."""


def mild(rng: random.Random, now: float) -> float:
    """Return 50 to 400 ms, uniformly distributed."""
    return rng.uniform(0.05, 0.4)


def stragglers(rng: random.Random, now: float) -> float:
    """Return 150 ms in the median, with a log-normal tail of up to 6 s."""
    return min(6.0, rng.lognormvariate(math.log(0.15), 0.9))


@attrs.frozen
class World:
    """The environment of the pacer, in seconds. `share` maps time to the factor of the limit."""

    server: Server
    seconds: float = math.inf
    requests: float = math.inf
    share: Callable[[float], float] = lambda now: 1.0
    latency: Latency = mild
    workers: int = 64
    failures: float = 0.0
    """Share of the accepted requests with a 500."""


@attrs.define
class Run:
    """The times at which requests were accepted, rate-limited, or ended with an unknown outcome."""

    accepted: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)
    unknown: list[float] = attrs.field(factory=list)
    ended: float = 0.0

    def accepted_between(self, start: float, end: float) -> int:
        """Return the number of accepted requests in (start, end]."""
        return bisect_right(self.accepted, end) - bisect_right(self.accepted, start)

    def refused_between(self, start: float, end: float) -> int:
        """Return the number of 429s in (start, end]."""
        return bisect_right(self.refused, end) - bisect_right(self.refused, start)


class _Event(Enum):
    WAKE = auto()
    ARRIVE = auto()
    ANSWER = auto()
    RETRY = auto()


_PENDING = Answer(0)


@attrs.frozen(eq=False)
class _Request:
    permit: Permit
    attempt: int
    answer: Answer = _PENDING


@attrs.define
class _Simulation:
    pacer: Pacer
    world: World
    rng: random.Random
    run: Run = attrs.field(factory=Run)
    events: list[tuple[float, int, _Event, _Request | int | None]] = attrs.field(factory=list)
    order: int = 0
    busy: int = 0
    to_retry: list[int] = attrs.field(factory=list)
    started: int = 0
    wake_at: float = math.inf

    def push(self, at: float, event: _Event, what: _Request | int | None) -> None:
        self.order += 1
        heapq.heappush(self.events, (at, self.order, event, what))

    def finished(self) -> bool:
        ended = len(self.run.accepted) + len(self.run.unknown)
        return ended >= self.world.requests or len(self.run.refused) >= MOST_REFUSALS

    def go(self) -> Run:
        self.dispatch(0.0)
        now = 0.0
        while self.events and not self.finished():
            at, _, event, what = heapq.heappop(self.events)
            if at > self.world.seconds:
                now = self.world.seconds
                break
            now = at
            if event is _Event.ARRIVE:
                assert isinstance(what, _Request)
                self.arrive(now, what)
                continue
            if event is _Event.ANSWER:
                assert isinstance(what, _Request)
                self.answer(now, what)
            elif event is _Event.RETRY:
                assert isinstance(what, int)
                self.busy -= 1
                self.to_retry.append(what)
            elif now < self.wake_at:
                continue
            else:
                self.wake_at = math.inf
            self.dispatch(now)
        self.run.ended = now
        return self.run

    def dispatch(self, now: float) -> None:
        while self.busy < self.world.workers and (self.to_retry or self.started < self.world.requests):
            wait = self.pacer.delay(now)
            if wait > 0.0:
                if now + wait < self.wake_at:
                    self.wake_at = now + wait
                    self.push(self.wake_at, _Event.WAKE, None)
                return
            attempt = self.to_retry.pop() if self.to_retry else 0
            self.started += attempt == 0
            self.busy += 1
            request = _Request(self.pacer.sent(now), attempt)
            self.push(now + self.rng.uniform(0.01, 0.04), _Event.ARRIVE, request)

    def arrive(self, now: float, request: _Request) -> None:
        rng, world = self.rng, self.world
        answer = world.server.arrive(now, share=world.share(now), rng=rng)
        if answer.status == 429:
            back = now + rng.uniform(0.02, 0.05)
        elif answer.service:
            back = now + answer.service + rng.uniform(0.01, 0.04)
        else:
            back = max(now + 0.01, request.permit.sent_at + world.latency(rng, now))
            if world.failures and rng.random() < world.failures:
                answer = attrs.evolve(answer, status=500)
        self.push(back, _Event.ANSWER, attrs.evolve(request, answer=answer))

    def answer(self, now: float, request: _Request) -> None:
        answer = request.answer
        self.pacer.done(now, request.permit, feedback_on(answer))
        self.busy -= 1
        if answer.status == 429:
            self.run.refused.append(now)
            self.retry(now, request.attempt + 1)
            return
        self.world.server.leave(now)
        (self.run.accepted if answer.status == 200 else self.run.unknown).append(now)

    def retry(self, now: float, attempt: int) -> None:
        """Retry at once through the pacer, or after the pacer's backoff, as other clients do."""
        backoff: Callable[[random.Random, int], float] | None = getattr(self.pacer, "backoff", None)
        if backoff is None:
            self.to_retry.append(attempt)
            return
        self.busy += 1
        self.push(now + backoff(self.rng, attempt), _Event.RETRY, attempt)


def simulate(pacer: Pacer, world: World, *, seed: int) -> Run:
    """Run `world` until its end, or until its last request has ended."""
    return _Simulation(pacer, world, random.Random(seed)).go()


def feedback_on(answer: Answer) -> Feedback:
    """Return the pacer's feedback on a response."""
    signal = {200: Signal.ADMITTED, 429: Signal.RATE_LIMITED}.get(answer.status, Signal.FAILED)
    hints = None
    if answer.remaining is not None and answer.reset:
        hints = RateLimitHints(answer.remaining, answer.reset)
    return Feedback(signal, retry_after=answer.retry_after, hints=hints)
