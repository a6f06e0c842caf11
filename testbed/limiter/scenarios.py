# ruff: noqa: ARG005  # one signature for all shapes; none needs every argument
"""The servers for all controllers, and the figures of each run.

- `share`: percentage of the true limit that was used.
- `refused`: percentage of the responses that were 429s.
- `found`: seconds from a change of the limit to the first interval (a window, or 30 s) with at least 95 % of the new
  limit and at most 2 % of 429s.

`share` and `refused` cover the steady part of a run, which begins after two windows, but at least two minutes. A run
shorter than the forty seconds of a cold start has no steady part.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from callsavvy_async.policy.pacer import Pacer
from testbed.limiter.servers import (
    ConcurrencyLimit,
    Degrading,
    FixedWindow,
    Queueing,
    Server,
    SlidingWindow,
    Tell,
    TokenBucket,
)
from testbed.limiter.simulation import Latency, Run, World, mild, simulate, stragglers

COLD_START = 40.0


@attrs.frozen
class Figures:
    """The figures of one run. `found` is None if the limit does not change."""

    share: float
    refused: float
    cold_share: float
    cold_refusals: int
    unknown: int
    found: tuple[float, float] | None = None


@attrs.frozen
class Scenario:
    """A server and the change of its limit. `change` is the factor of the middle third of the run. 1.0 is no change."""

    name: str
    server: Callable[[int], Server]
    change: float = 1.0
    latency: Latency = mild
    failures: float = 0.0
    held: bool = True
    """True if the adaptive pacer must reach the goal. The other scenarios show its weaknesses."""

    def timeline(self, server: Server, seed: int) -> tuple[float, float, float]:
        """Return the times in seconds of the limit's change, of its restoration, and of the run's end."""
        window = window_of(server)
        third = max(300.0, 4.0 * window, 300.0 / server.rate)
        return third + 7.0 * seed, 2.0 * third + 18.0 * seed, 3.0 * third + 18.0 * seed

    def share_at(self, server: Server, seed: int) -> Callable[[float], float]:
        """Return the factor of the limit as a function of time."""
        changed, restored, _ = self.timeline(server, seed)
        return lambda now: self.change if changed <= now < restored else 1.0

    def run(self, make: Callable[[Server], Pacer], *, seed: int) -> tuple[Run, Figures]:
        """Run the scenario once and measure it."""
        server = self.server(seed)
        changed, restored, end = self.timeline(server, seed)
        share = self.share_at(server, seed)
        world = World(server, end, share=share, latency=self.latency, failures=self.failures)
        run = simulate(make(server), world, seed=seed)
        window = window_of(server)
        stop = min(end, run.ended)
        warm = min(max(120.0, 2.0 * window), stop / 2.0)
        altered = max(0.0, min(stop, restored) - max(warm, changed))
        budget = server.rate * (stop - warm - altered * (1.0 - self.change))
        accepted, refused = run.accepted_between(warm, stop), run.refused_between(warm, stop)
        found = None
        if self.change != 1.0:
            found = (
                _found(run, changed, restored, rate=server.rate * self.change, stretch=max(window, 30.0)),
                _found(run, restored, end, rate=server.rate, stretch=max(window, 30.0)),
            )
        return run, Figures(
            share=100.0 * accepted / budget,
            refused=100.0 * refused / max(1, accepted + refused),
            cold_share=100.0 * run.accepted_between(-1.0, COLD_START) / (server.rate * COLD_START),
            cold_refusals=run.refused_between(-1.0, COLD_START),
            unknown=len(run.unknown),
            found=found,
        )


def window_of(server: Server) -> float:
    """Return the server's window in seconds. 0 without a window."""
    return server.seconds if isinstance(server, FixedWindow | SlidingWindow) else 0.0


def _found(run: Run, start: float, end: float, *, rate: float, stretch: float) -> float:
    at = start
    while at + stretch <= end:
        accepted, refused = run.accepted_between(at, at + stretch), run.refused_between(at, at + stretch)
        if accepted >= 0.95 * rate * stretch and refused <= 0.02 * (accepted + refused):
            return at - start
        at += 1.0
    return math.inf


def _fixed(count: int, seconds: float, tell: Tell = Tell.NOTHING) -> Callable[[int], Server]:
    return lambda seed: FixedWindow(count, seconds, tell, phase=-0.23 * seconds * seed)


def _sliding(count: int, seconds: float, tell: Tell = Tell.NOTHING, *, strict: bool = False) -> Callable[[int], Server]:
    return lambda seed: SlidingWindow(count, seconds, tell, counts_refused=strict)


def _bucket(rate: float, burst: float, tell: Tell = Tell.NOTHING) -> Callable[[int], Server]:
    return lambda seed: TokenBucket(rate, burst, tell)


_RA, _HEADERS = Tell.RETRY_AFTER, Tell.HEADERS

STEADY = (
    Scenario("bucket 10/s, burst 20", _bucket(10, 20)),
    Scenario("bucket 10/s, burst 20, Retry-After", _bucket(10, 20, _RA)),
    Scenario("bucket 10/s, burst 20, headers", _bucket(10, 20, _HEADERS), held=False),
    Scenario("bucket 10/s, burst 600", _bucket(10, 600)),
    Scenario("bucket 10/s, burst 3", _bucket(10, 3)),
    Scenario("bucket 10/s, burst 1", _bucket(10, 1), held=False),
    Scenario("bucket 0.5/s, burst 5", _bucket(0.5, 5)),
    Scenario("bucket 100/s, burst 100", _bucket(100, 100)),
    Scenario("bucket 100/s, burst 100, Retry-After", _bucket(100, 100, _RA)),
    Scenario("fixed 600 per 60 s", _fixed(600, 60)),
    Scenario("fixed 600 per 60 s, Retry-After", _fixed(600, 60, _RA)),
    Scenario("fixed 600 per 60 s, headers", _fixed(600, 60, _HEADERS)),
    Scenario("fixed 100 per 10 s", _fixed(100, 10)),
    Scenario("fixed 10 per 1 s", _fixed(10, 1)),
    Scenario("fixed 30 per 60 s", _fixed(30, 60)),
    Scenario("fixed 3000 per 300 s", _fixed(3000, 300)),
    Scenario("sliding 600 per 60 s", _sliding(600, 60)),
    Scenario("sliding 600 per 60 s, Retry-After", _sliding(600, 60, _RA)),
    Scenario("sliding 600 per 60 s, counts refusals", _sliding(600, 60, strict=True)),
    Scenario("sliding 100 per 10 s", _sliding(100, 10)),
    Scenario("sliding 10 per 1 s", _sliding(10, 1), held=False),
    Scenario("bucket 10/s, burst 20, stragglers", _bucket(10, 20), latency=stragglers),
    Scenario("bucket 10/s, burst 20, 3 % stray 500s", _bucket(10, 20), failures=0.03, held=False),
)
CHANGES = (
    Scenario("bucket 10/s halves", _bucket(10, 20), change=0.5),
    Scenario("bucket 10/s halves, Retry-After", _bucket(10, 20, _RA), change=0.5),
    Scenario("bucket 10/s doubles", _bucket(10, 20), change=2.0),
    Scenario("bucket 100/s halves", _bucket(100, 100), change=0.5),
    Scenario("fixed 600 per 60 s halves", _fixed(600, 60), change=0.5),
    Scenario("fixed 600 per 60 s halves, Retry-After", _fixed(600, 60, _RA), change=0.5),
    Scenario("fixed 600 per 60 s doubles", _fixed(600, 60), change=2.0),
    Scenario("fixed 100 per 10 s halves", _fixed(100, 10), change=0.5),
    Scenario("sliding 600 per 60 s halves", _sliding(600, 60), change=0.5),
    Scenario("sliding 600 per 60 s halves, Retry-After", _sliding(600, 60, _RA), change=0.5),
    Scenario("sliding 600 per 60 s doubles", _sliding(600, 60), change=2.0),
    Scenario("sliding 100 per 10 s halves", _sliding(100, 10), change=0.5),
    Scenario("bucket 10/s falls to a fifth", _bucket(10, 20), change=0.2, held=False),
    Scenario("bucket 10/s vanishes (x 20)", _bucket(10, 20), change=20.0, held=False),
)
OVERLOAD = (
    Scenario("5 at once", lambda seed: ConcurrencyLimit(5), held=False),
    Scenario("20 at once", lambda seed: ConcurrencyLimit(20), held=False),
    Scenario("queue, 3 workers", lambda seed: Queueing(3), held=False),
    Scenario("queue, 20 workers", lambda seed: Queueing(20), held=False),
    Scenario("queue, 20 workers, halves", lambda seed: Queueing(20), change=0.5, held=False),
    Scenario("degrading, 3 workers", lambda seed: Degrading(3), held=False),
    Scenario("degrading, 10 workers", lambda seed: Degrading(10), held=False),
)
HOLDOUT = (
    Scenario("bucket 7/s, burst 12", _bucket(7, 12)),
    Scenario("bucket 3/s, burst 2", _bucket(3, 2)),
    Scenario("bucket 40/s, burst 10", _bucket(40, 10)),
    Scenario("bucket 25/s, burst 50, Retry-After", _bucket(25, 50, _RA)),
    Scenario("fixed 45 per 20 s", _fixed(45, 20)),
    Scenario("fixed 1200 per 120 s", _fixed(1200, 120)),
    Scenario("fixed 200 per 5 s, Retry-After", _fixed(200, 5, _RA)),
    Scenario("sliding 250 per 30 s", _sliding(250, 30)),
    Scenario("sliding 900 per 90 s, Retry-After", _sliding(900, 90, _RA)),
    Scenario("bucket 7/s, burst 12, stragglers", _bucket(7, 12), latency=stragglers),
    Scenario("bucket 7/s, burst 12 falls to 60 %", _bucket(7, 12), change=0.6),
    Scenario("bucket 40/s, burst 10 trebles", _bucket(40, 10), change=3.0),
    Scenario("fixed 45 per 20 s doubles", _fixed(45, 20), change=2.0),
    Scenario("sliding 250 per 30 s halves", _sliding(250, 30), change=0.5),
    Scenario("12 at once", lambda seed: ConcurrencyLimit(12)),
)
"""Scenarios that were not used to tune the controller. They only report figures."""
