"""How fast the rate rises while the limit is unknown: the start, and the search after the first 429.

Start     rate(t) = estimate * 2^(t / START_DOUBLING), for processes that share a limit. A process alone starts with what may
          be in flight instead, which doubles with each round trip.

Search    After the first 429 only a lower bound is known. The rate doubles with every `doubling` requests, but not faster
          than the start does: d rate / dt = rate^2 / unit, so rate(t) = 1 / (1/estimate - t/unit).
          Example: 1/s at first and 3 requests to double: 2/s after 2.2 s, 4.3/s after 3.3 s, then twice that every 0.7 s.
"""

from __future__ import annotations

import math

START_DOUBLING = 0.7
"""Seconds in which a start doubles, and in which a search doubles at the fastest."""


def start(since: float, *, estimate: float) -> float:
    """Return the rate of a start after `since` seconds."""
    return estimate * math.exp2(min(since / START_DOUBLING, 30.0))


def search(since: float, *, estimate: float, doubling: float) -> float:
    """Return the rate of a search after `since` seconds; it doubles with every `doubling` requests."""
    unit, fast = doubling / math.log(2.0), doubling / START_DOUBLING
    by_requests = max(0.0, unit / estimate - unit / fast)
    if since < by_requests:
        return 1.0 / (1.0 / estimate - since / unit)
    return start(since - by_requests, estimate=max(estimate, fast))
