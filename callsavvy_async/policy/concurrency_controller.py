"""The concurrency controller: how many requests may be in flight at once.

Theory, the limit from latency. Little's law says in flight = throughput * latency. A server is busy with its throughput
times its *unloaded* latency, the bandwidth-delay product. Requests beyond that wait in a queue, and a request that waits
too long times out, which makes a paid send UNKNOWN. With `limit` in flight the product is limit * unloaded / latency, so
after each block of responses

    limit = limit * TOLERANCE * unloaded / latency + 1         (Netflix Gradient, Envoy's adaptive concurrency)

holds TOLERANCE times the useful number in flight. Example: at limit 20, unloaded 50 ms and latency 100 ms, the new limit
is 20 * 1.5 * 0.5 + 1 = 16. The limit moves only while at least half of it is in use: an idle client learns nothing.

The unloaded latency is the smallest median of the last one or two epochs of `EPOCH` seconds. If the limit binds, it is
measured again with most of the load removed (BBR's ProbeRTT), because it would otherwise include the controller's queue.

The cap from 429s. A server that caps *concurrency* answers 429 by the number in flight, not by the rate. The controller
tallies 429s by the number in flight at the time of sending. If most of them lie above some level, and 429s are common
above it, that level is the server's cap, and the rate is not lowered. The cap rises by one every `CAP_PROBE` seconds, and
faster after a long time without 429s, because the finding was then an accident.

Quantities
    limit        requests     in flight, from latency
    cap          requests     in flight, from 429s
    latency      s            median of the last block of responses
    unloaded     s            latency without a queue
    TOLERANCE    (ratio)      target for latency / unloaded
"""

from __future__ import annotations

import math
from statistics import median

import attrs

TOLERANCE = 1.5
FLOOR = 2.0
START_LIMIT = 8.0
BLOCK_RESPONSES = 40
BLOCK_SECONDS = 1.0
FIRST_BLOCK_RESPONSES = 20
EPOCH = 30.0
CAP_PROBE = 20.0
FEWEST_RATE_LIMITED = 5.0
"""Number of 429s, weighted towards recent ones, before the controller looks for a cap."""
FEWEST_MISSED = 3.0
"""Number of 429s to expect at or below a level if the number in flight did not matter."""
EXPLAINING = 0.1
"""Share of the requests above a level that must be 429s for the level to be a cap."""
FAILING = 0.15
"""Share of recent responses that may fail before the limit is cut; stray errors say nothing about load."""
FAILURE_PAUSE = 5.0
"""Seconds between two cuts for failures, in which the requests in flight complete."""
_LEAST_LATENCY = 0.001
"""Seconds: a coarse clock may measure 0."""


@attrs.define
class ConcurrencyController:
    """Learn how many requests a server can use at once, from latencies, time-outs and 429s by level."""

    limit: float = START_LIMIT
    cap: float = math.inf
    unloaded: float = math.inf
    """Seconds of latency without a queue; infinite until measured."""
    latency: float = math.inf
    """Median seconds of the last block of responses; infinite until measured."""

    _latencies: list[float] = attrs.field(factory=list)
    _block_began: float = 0.0
    _peak: int = 0
    _epoch_began: float = math.inf
    _epoch_least: float = math.inf
    _bound: bool = False
    _drained_since: float = math.inf
    _cap_since: float = 0.0
    _failing: float = 0.0
    _cut_at: float = -math.inf
    _admitted: dict[int, float] = attrs.field(factory=dict)
    _rate_limited: dict[int, float] = attrs.field(factory=dict)

    def allowed(self, now: float) -> float:
        """Return how many requests may be in flight now."""
        limit = self.limit if self._drained_since == math.inf else max(FLOOR, self.limit / 4.0)
        steps = (now - self._cap_since) / CAP_PROBE
        return min(limit, self.cap + steps + max(0.0, steps - 3.0) ** 2)

    def turns(self, seconds: float) -> float:
        """Return how many requests one slot in flight serves in `seconds`; 0 until latency is measured."""
        return max(0.0, seconds) / max(self.latency, _LEAST_LATENCY)

    def sent(self, level: int) -> None:
        """Record that `level` requests are now in flight."""
        self._peak = max(self._peak, level)

    def admitted(self, now: float, *, level: int, sent_at: float) -> None:
        """Learn from the latency of a request that was sent as the `level`-th in flight."""
        self._admitted[level] = self._admitted.get(level, 0.0) + 1.0
        self._failing -= self._failing / 20.0
        if self._drained_since != math.inf:
            if sent_at < self._drained_since:
                return
            self._latencies.append(max(now - sent_at, _LEAST_LATENCY))
            if len(self._latencies) >= FIRST_BLOCK_RESPONSES:
                self._end_epoch(now, least=median(self._latencies))
            return
        self._latencies.append(max(now - sent_at, _LEAST_LATENCY))
        first = self.unloaded == math.inf
        wanted = FIRST_BLOCK_RESPONSES if first else BLOCK_RESPONSES
        if len(self._latencies) >= wanted and (first or now - self._block_began >= BLOCK_SECONDS):
            self._end_block(now, latency=median(self._latencies))

    def failed(self, now: float) -> None:
        """Cut the limit if failures have become common. A single failure changes nothing."""
        self._failing += (1.0 - self._failing) / 20.0
        if self._failing > FAILING and now - self._cut_at > FAILURE_PAUSE:
            self.limit = max(FLOOR, 0.7 * min(self.limit, self._peak))
            self._cut_at = now

    def rate_limited(self, now: float, *, level: int) -> bool:
        """Tally a 429; return True if the number in flight explains it, so that the rate stays as it is."""
        for tally in (self._admitted, self._rate_limited):
            for key in tally:
                tally[key] *= 0.95
        self._rate_limited[level] = self._rate_limited.get(level, 0.0) + 1.0
        found = self._find_cap()
        if found is None or level <= found:
            return False
        self.cap, self._cap_since = float(found), now
        return True

    def _find_cap(self) -> int | None:
        """Return the level above which 429s are common, provided enough requests were sent below it to compare."""
        limited, admitted = sum(self._rate_limited.values()), sum(self._admitted.values())
        best, best_share = None, EXPLAINING
        for level in range(1, max(self._rate_limited) if limited >= FEWEST_RATE_LIMITED else 0):
            above = sum(count for key, count in self._rate_limited.items() if key > level)
            passed = sum(count for key, count in self._admitted.items() if key > level)
            missed = limited * (admitted - passed) / (admitted + limited)
            if above >= 0.75 * limited and missed >= FEWEST_MISSED and above / (above + passed) > best_share:
                best, best_share = level, above / (above + passed)
        return best

    def _end_block(self, now: float, *, latency: float) -> None:
        self.latency = latency
        self._epoch_began = min(self._epoch_began, now)  # the first epoch begins with the first block
        self._epoch_least = min(self._epoch_least, latency)
        self.unloaded = min(self.unloaded, latency)
        if self._peak >= self.limit / 2.0:
            self._bound = self._bound or self._peak >= self.limit - 1.0
            self.limit = max(FLOOR, self.limit * TOLERANCE * self.unloaded / latency + 1.0)
        self._begin_block(now)
        if now - self._epoch_began >= EPOCH:
            if self._bound:
                self._drained_since = now
            else:
                self._end_epoch(now, least=self._epoch_least)

    def _end_epoch(self, now: float, *, least: float) -> None:
        self.unloaded, self._epoch_least = least, math.inf
        self._epoch_began, self._bound, self._drained_since = now, False, math.inf
        self._begin_block(now)

    def _begin_block(self, now: float) -> None:
        self._latencies.clear()
        self._block_began, self._peak = now, 0
