"""The in-flight law: how many requests may be under way at once when no refusal says so.

Theory. Little's law: in flight = throughput * latency. The smallest number that keeps a server busy is its throughput
times its *unloaded* latency, the bandwidth-delay product; whatever is in flight beyond that only waits in a queue, and
what waits too long comes back as a time-out, which for a paid send means UNKNOWN. With `limit` in flight the product is
limit * unloaded / latency, so after each block of answers

    limit = limit * TOLERANCE * unloaded / latency + 1         (Netflix Gradient, Envoy's adaptive concurrency)

holds in flight at TOLERANCE times what the server can use. The limit moves only while at least half of it is in use: an
idle client learns nothing about the server. The unloaded latency is the smallest median of the last minute, and is
measured anew with most of the load taken off where the limit binds (BBR's ProbeRTT), or else the queue that this law
itself keeps would slowly pass for the unloaded state.

A server that caps *concurrency* refuses by the number in flight, not by the rate. Refusals are therefore tallied by the
number in flight when they were sent: if most of them lie above some level, and above it refusals are common, the level
is the server's cap. It is kept, raised by one every `CAP_PROBE` seconds (and ever faster, if that goes well for long: the
cap was an accident then), and the rate is not blamed.

Quantities
    limit        requests     in flight, from latency
    cap          requests     in flight, from refusals
    latency      s            the median of the last block of answers
    unloaded     s            the latency without a queue
    TOLERANCE    (ratio)      latency / unloaded that is held
"""

from __future__ import annotations

import math
from statistics import median

import attrs

TOLERANCE = 1.5
FLOOR = 2.0
START_LIMIT = 8.0
BLOCK_ANSWERS = 40
BLOCK_SECONDS = 1.0
FIRST_BLOCK_ANSWERS = 20
EPOCH = 30.0
CAP_PROBE = 20.0
FEWEST_REFUSALS = 5.0
"""Refusals, older ones counting less, before any level is blamed."""
FEWEST_MISSED = 3.0
"""Refusals that would have to be at or below a level if the number in flight did not matter."""
EXPLAINING = 0.1
"""Share of the requests above a level that must have been refused for the level to explain it."""
FAILING = 0.15
"""Share of the latest answers that may fail; stray errors say nothing about load."""
FAILURE_PAUSE = 5.0
"""Seconds between two cuts for failures: the answers to what was in flight must come in first."""
_LEAST_LATENCY = 0.001
"""Seconds: a clock may see none at all, and nobody is served without end."""


@attrs.define
class ConcurrencyController:
    """Learn how many requests a server can use at once, from latency, time-outs and refusals by level."""

    limit: float = START_LIMIT
    cap: float = math.inf
    unloaded: float = math.inf
    """Seconds: the latency without a queue; infinite until measured."""
    latency: float = math.inf
    """Seconds: the median of the last block of answers; infinite until measured."""

    _answers: list[float] = attrs.field(factory=list)
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
    _refused: dict[int, float] = attrs.field(factory=dict)

    def allowed(self, now: float) -> float:
        """Return how many requests may be in flight now."""
        limit = self.limit if self._drained_since == math.inf else max(FLOOR, self.limit / 4.0)
        steps = (now - self._cap_since) / CAP_PROBE
        return min(limit, self.cap + steps + max(0.0, steps - 3.0) ** 2)

    def turns(self, seconds: float) -> float:
        """Return how many requests one place in flight serves in that time: none, until latency is measured."""
        return max(0.0, seconds) / max(self.latency, _LEAST_LATENCY)

    def sent(self, level: int) -> None:
        """Note that `level` requests are now in flight."""
        self._peak = max(self._peak, level)

    def admitted(self, now: float, *, level: int, sent_at: float) -> None:
        """Learn from the latency of an answer to a request that was sent as the `level`-th in flight."""
        self._admitted[level] = self._admitted.get(level, 0.0) + 1.0
        self._failing -= self._failing / 20.0
        if self._drained_since != math.inf:
            if sent_at < self._drained_since:
                return
            self._answers.append(max(now - sent_at, _LEAST_LATENCY))
            if len(self._answers) >= FIRST_BLOCK_ANSWERS:
                self._end_epoch(now, least=median(self._answers))
            return
        self._answers.append(max(now - sent_at, _LEAST_LATENCY))
        first = self.unloaded == math.inf
        wanted = FIRST_BLOCK_ANSWERS if first else BLOCK_ANSWERS
        if len(self._answers) >= wanted and (first or now - self._block_began >= BLOCK_SECONDS):
            self._end_block(now, latency=median(self._answers))

    def failed(self, now: float) -> None:
        """Cut what is in flight if failures have become common; one failure alone changes nothing."""
        self._failing += (1.0 - self._failing) / 20.0
        if self._failing > FAILING and now - self._cut_at > FAILURE_PAUSE:
            self.limit = max(FLOOR, 0.7 * min(self.limit, self._peak))
            self._cut_at = now

    def rate_limited(self, now: float, *, level: int) -> bool:
        """Tally a refusal; return whether the number in flight explains it, so that the rate need not."""
        for tally in (self._admitted, self._refused):
            for key in tally:
                tally[key] *= 0.95
        self._refused[level] = self._refused.get(level, 0.0) + 1.0
        found = self._level_that_explains()
        if found is None or level <= found:
            return False
        self.cap, self._cap_since = float(found), now
        return True

    def _level_that_explains(self) -> int | None:
        """Return the level above which refusals are common, if enough was sent below it that some ought to be there."""
        refusals, admissions = sum(self._refused.values()), sum(self._admitted.values())
        best, best_share = None, EXPLAINING
        for level in range(1, max(self._refused) if refusals >= FEWEST_REFUSALS else 0):
            above = sum(count for key, count in self._refused.items() if key > level)
            passed = sum(count for key, count in self._admitted.items() if key > level)
            missed = refusals * (admissions - passed) / (admissions + refusals)
            if above >= 0.75 * refusals and missed >= FEWEST_MISSED and above / (above + passed) > best_share:
                best, best_share = level, above / (above + passed)
        return best

    def _end_block(self, now: float, *, latency: float) -> None:
        self.latency = latency
        self._epoch_began = min(self._epoch_began, now)  # the first begins here: nothing was measured before
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
        self._answers.clear()
        self._block_began, self._peak = now, 0
