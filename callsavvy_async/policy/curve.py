"""The pace as a function of time: how a cold start, the search after it, and a belief that is held speed up.

Theory. The sending rate is the probe: a limit shows itself only where it is exceeded. Three curves of the time `t` since the last
reopening exceed it as late as they can, and as soon as they must.

Start     rate = belief * 2^(t / START_DOUBLING). For processes that share a limit; one alone starts by what is in flight.

Search    After the first refusal only a lower bound is known. The rate doubles with every `SEARCH_REQUESTS`, that is
          d rate / dt = rate^2 / unit, so rate(t) = 1 / (1/belief - t/unit); and no faster than the start does.

Cruise    TCP CUBIC's shape (RFC 9438), but flatter around the belief and steeper beyond it; with u = t / period - 1

              rate(t) = belief * (1 + dip * u^3)  while u < 0,     belief * (1 + RISE * u^5)  from then on

          It starts a dip below the belief, and stays within RISE of it until two periods have passed, which is when a bucket
          has been emptied again and refuses once; if no refusal comes, the belief is disproved and the rate runs away
          from it. So one curve cruises, probes and escapes.

Example. A belief of 10/s, a period of 14 s and a dip of 2 %: 9.8/s at once, 10/s after 14 s, 10.2/s after 28 s; no refusal
so far, so 20/s after 45 s and 200/s after 69 s. A search from 1/s: 2/s after 2.2 s, 4.3/s after 3.3 s, and from there it
doubles every 0.7 s.
"""

from __future__ import annotations

import math

RISE = 0.02
"""Part of the belief: the least dip below it, and the overshoot after two periods that provokes a refusal."""
START_DOUBLING = 0.7
"""Seconds in which a cold start doubles."""
SEARCH_REQUESTS = 3.0
"""Requests in which the rate doubles after the first refusal, at least."""

_FAST = SEARCH_REQUESTS / START_DOUBLING
"""Requests per second from which on a search doubles by time."""
_UNIT = SEARCH_REQUESTS / math.log(2.0)


def start(since: float, *, belief: float) -> float:
    """Return the rate of a cold start after `since` seconds."""
    return belief * math.exp2(min(since / START_DOUBLING, 30.0))


def search(since: float, *, belief: float) -> float:
    """Return the rate of a search after `since` seconds."""
    slow = max(0.0, _UNIT / belief - _UNIT / _FAST)
    if since < slow:
        return 1.0 / (1.0 / belief - since / _UNIT)
    return start(since - slow, belief=max(belief, _FAST))


def cruise(since: float, *, belief: float, period: float, dip: float) -> float:
    """Return the rate after `since` seconds of an interval."""
    u = since / period - 1.0
    return belief * (1.0 + (RISE * u**5 if u > 0.0 else dip * u**3))


def cruised(since: float, *, belief: float, period: float, dip: float) -> float:
    """Return the requests of the first `since` seconds of an interval, but for a constant."""
    u = since / period - 1.0
    return belief * (since + period * (RISE * u**6 / 6.0 if u > 0.0 else dip * u**4 / 4.0))
