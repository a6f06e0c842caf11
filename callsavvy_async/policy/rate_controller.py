"""The rate controller: how fast to send when the limit is hidden and only 429s reveal it.

Theory.

1.  Estimate. A server that limits a rate keeps a budget that fills at the limit, and answers 429 while it is empty. A
    client that receives a 429, waits until it is admitted and receives the next 429 has emptied the budget twice. So
    between two reopenings, for token buckets and windows alike and at any sending rate,

        limit = requests admitted / time        (the estimator of Linux's tcp_bbr.c, `lt_bw`; here `estimated_limit`)

    Example: 300 requests between two reopenings 30 s apart mean a limit of 10/s.

2.  Curve. The sending rate is therefore free to be the *probe*. It follows one curve of the time `t` since the last
    reopening (TCP CUBIC's shape, RFC 9438, flatter around the estimate and steeper beyond it), with u = t / period - 1:

        rate(t) = estimate * (1 + dip * u^3)  while u < 0,     estimate * (1 + RISE * u^5)  from then on

    The rate begins a dip below the estimate and stays within RISE of it for two periods. Then a bucket is empty again
    and answers 429 once. Without a 429 the estimate is too low, and the rate leaves it behind: it reaches twice the
    estimate after 3.2 periods, and twenty times the estimate after 4.9. A count is exact to one request, so the relative
    error grows as a period has fewer requests; the dip saves up as many requests as this error overspends.

3.  Memory. Counts move the estimate; 429s only steer the rate. An interval replaces the estimate if it is as long as the
    `memory` (a period, a window, ten requests). The old estimate fills up a shorter one. A limit that has just fallen
    needs a lower *rate* at once: each 429 within half a period doubles the dip, until an interval is long again. A few
    requests may replace the estimate, but the next period has as few: an estimate that is too low is soon left behind.

4.  Windows. A budget that cannot be saved up loses the requests of a dip, and the mean of an interval falls short of the
    limit. A pause that the server confirms (by a 429 for a probe), and that is much of the time since the last such
    reopening, is the rest of a window that was spent early. That time is the window, and the requests admitted in it are
    its budget. From then on the last window (plus a tenth, its error) is counted separately, and the period grows with
    it, since a window reacts to a probe only at its end. A much shorter window is more likely a Retry-After that was
    rounded up, so it takes several of them to shrink the known window.

5.  Small budgets. If a bucket or a window holds so few requests that network jitter alone causes 429s, the rate of the
    *later half* is the limit. It counts only after intervals of two periods: in a shorter one, it would include the
    bucket's savings.

6.  Start. Before the first 429 nothing is known, and what may be in flight doubles with each round trip; processes that
    share a limit double a rate instead (`rate_search`). The budget at that time is unknown, for another process may have
    used it, so the first interval says little. More is said by the requests that the empty budget admitted: those still in
    flight at the first 429, or the first admitted probe. That is a lower bound, and the *search* doubles it until the next
    429. The mean of that interval is the limit of a bucket, but it falls short of the limit of a server that saves nothing
    up, which lies below the last rate. So a search that rose much is followed by a slower one from the geometric mean of
    the two, and a search of few requests counts both, as does one whose pause the server did not confirm. A pause that is
    long after many requests shows a window at once.

7.  Clock. The controller's clock runs only while the controller holds requests back. Idle time, or time under another cap,
    proves nothing and is skipped. All times are monotonic seconds from the caller.

Quantities
    estimate  requests/s     estimated limit
    window    s              time in which the server's budget is spent and renewed; 0 if unknown
    period    s              half a cycle between two 429s; short while the limit is unknown
    dip       (ratio)        distance below the estimate at which an interval begins
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.gate import Forecast
from callsavvy_async.policy.rate_meter import START_RATE, RateMeter
from callsavvy_async.policy.rate_search import search, start

RISE = 0.02
"""Part of the estimate: the smallest dip below it, and the overshoot after two periods that provokes a 429."""
DEEPEST_DIP, DEEPEST_SOON = 0.5, 8
"""The largest dip, and the number of early 429s in a row after which the dip is that deep."""
COUNT_ERROR, DEEPEST_FOR_COUNTS = 5.0, 0.25
"""Minimum of dip * requests of a period, and the largest dip for it. The dip saves up a quarter of it."""

PERIOD = 14.0
PERIOD_REQUESTS = 75.0
"""Seconds, and requests. A slow limit needs a longer period to keep its 429s under one in a hundred requests."""
SHORTEST_PERIOD = 1.75
SHORTEST_PERIOD_REQUESTS = 35.0
FEWEST_PERIOD_REQUESTS = 5.0
"""Seconds, and requests: the period while the limit is unknown. It has no more requests than the measurement, and grows."""
WINDOW_PERIOD = 0.65
"""The period as a part of the window: two of them reach into the second window, three and a half into the third."""
LONGEST_WINDOW = 230.0
"""Maximum seconds of a window: one long ban must not stop the learning for hours."""

COUNT, WEAK = 10.0, 20.0
"""Minimum requests of a measurement, and of a search whose mean counts without the rate before its 429."""
LATE = 2.0
"""Minimum length of an interval, in periods, for its later half to count."""
SURGE = 1.15
"""A measurement this many times the estimate means that the limit was raised. The search uses short periods."""

SEARCH_DOUBLING = 3.0
"""Requests in which the rate doubles after the first 429."""
SLOWER = 4.0
"""Factor of these requests in the second search."""
STEEP = 1.3
"""Factor by which the rate of a search may have grown for the mean to be the limit."""
SHORTEST_FIRST_WINDOW, LONG_REFILL = 4.0, 10.0
"""Seconds of the first pause: the shortest that is the rest of a window, and the longest that a few requests cause."""
TRICKLE = 3
"""Minimum requests admitted after the first 429 that reveal a rate; fewer may have overtaken on the way."""


@attrs.define
class RateController(RateMeter):
    """Learn a hidden limit from admissions and 429s, and schedule requests."""

    estimated_limit: float = START_RATE
    """Requests per second."""
    window: float = 0.0
    """Seconds; 0 if unknown."""
    started: bool = False
    """True after the cold start, once the limit has been measured."""
    fixed: bool = False
    """True for a configured limit, which never changes. Windows are still measured, to predict when a gate reopens."""
    unpaced: bool = False
    """True if only the number in flight limits a cold start."""
    period: float = PERIOD

    _dip: float = RISE
    _soon: int = 0
    """Number of consecutive intervals that ended within half a period."""
    _doubling: float = SEARCH_DOUBLING
    """Requests in which the rate of the present search doubles."""
    _restarted: bool = False
    """True if the start was repeated, because others had used the budget up."""

    def limit_as(self, other: RateController) -> None:
        """Copy the limits of this process's controller: the ceiling from the server's headers, and a configured rate."""
        self._ceiling, self._ceiling_until = other._ceiling, other._ceiling_until
        self.fixed = other.fixed
        if other.fixed:
            self.estimated_limit = self.rate = other.estimated_limit

    def forecast(self, now: float) -> Forecast:
        """Predict when the server reopens.

        A window that was spent early reopens when the estimate has caught up with the admitted requests. A pause is never
        longer than the window, and an estimate that admissions exceed by more than a quarter predicts nothing.
        """
        elapsed = now - self._opened
        ahead = self.admitted / self.estimated_limit - elapsed
        debt = ahead if 0.0 < ahead < min(self.window, 0.25 * elapsed) else 0.0
        rest = max(0.0, self._spell_began + self._known_window - now)
        return Forecast(debt, rest, self._spell_began, window_known=self.window > 0.0)

    def reopened(self, now: float, *, at: float, probed: float, proven: bool) -> None:
        """Learn from the interval between the last reopening and this one, and begin the next.

        Args:
            now: Monotonic seconds.
            at: Reopening of the server, as exactly as the probes show.
            probed: Start of the admitted probe. It may have taken all that the server had saved up.
            proven: True if the server confirmed the pause, so that it was not only the client's gate.
        """
        if not self.started and not self._bounded:
            self._begin_search(now, at=at, probed=probed)
            return
        open_for = max(self.shut_at - self._opened, 1e-3)
        elapsed, admitted = now - self._opened if self._bounded else open_for, self.admitted
        spent_window = self._bounded and proven and self._is_window(at)
        steep = not self.started and not spent_window and self.rate > STEEP * self.estimated_limit
        if steep and self._doubling == SEARCH_DOUBLING:
            self._search_again(now, probed=probed)
            return
        if spent_window and at - self._spell_began < 0.5 * self.window:
            spent_window, self.window = False, 0.5 * self.window
        soon = self.started and not spent_window and open_for < self.period / 2.0
        memory = max(COUNT / self.estimated_limit, self._known_window, self.period) if self.started else 0.0
        if spent_window:
            elapsed, admitted = at - self._spell_began, self._spell_admitted
            self.window = min(self.window, elapsed) if elapsed < 1.25 * self.window else elapsed
        mean = (admitted + max(0.0, memory - elapsed) * self.estimated_limit) / max(elapsed, memory)
        if self.started:
            mean = max(mean, self._late(open_for, at - self._opened if proven else open_for))
        elif not spent_window and (admitted < WEAK or not proven):
            mean = math.sqrt(mean * admitted / open_for)
        self._learn(max(mean, 1e-3), elapsed, admitted if elapsed >= memory else SHORTEST_PERIOD_REQUESTS)
        self._soon = min(self._soon + 1, DEEPEST_SOON) if soon else 0
        for_counts = min(COUNT_ERROR / (self.estimated_limit * self.period), DEEPEST_FOR_COUNTS)
        self._dip = max(min(RISE * 2.0**self._soon, DEEPEST_DIP), for_counts)
        if spent_window or not self._bounded or elapsed > PERIOD:
            self._spell_began, self._spell_admitted = at, 0
        self._begin_interval(now, not_before=probed + 1.0 / self._curve(0.0))

    def _begin_search(self, now: float, *, at: float, probed: float) -> None:
        """Begin the search with a lower bound: the rate at which the empty budget admitted requests."""
        refill, whole = max(at - self._exhausted_at, 1e-3), max(at - self._opened, 1e-3)
        if self.admitted < COUNT and refill > LONG_REFILL and not self._restarted:
            self._restart(now)
            return
        estimate = 1.0 / refill
        if self._trickle >= TRICKLE:
            estimate = max(estimate, self._trickle / max(self._trickle_until - self._exhausted_at, 1e-3))
        elif self.admitted >= COUNT:
            estimate = max(estimate, self.admitted / whole)
            shortest = max(SHORTEST_FIRST_WINDOW, whole / 2.0)
            if self.unpaced and refill > shortest:  # shared counts err by what is reserved
                self.window = whole
                self._learn(estimate, whole, self.admitted)
        self.estimated_limit = self.rate = estimate
        self._spell_began, self._spell_admitted = at, 0
        self._begin_interval(now, not_before=probed + 1.0 / self.estimated_limit)

    def _restart(self, now: float) -> None:
        """Start once more: others had used the budget up, and it has just been renewed."""
        self._restarted, self.admitted, self._spell_admitted = True, 0, 0
        self._slot = self._opened = self._sent_at = self._spell_began = now

    def _search_again(self, now: float, *, probed: float) -> None:
        """Search between the mean and the last rate, for the limit of a server that saves nothing up lies there."""
        mean = max(self.admitted, 1) / max(now - self._opened, 1e-3)
        self.estimated_limit = self.rate = math.sqrt(mean * max(self.rate, mean))
        self._doubling *= SLOWER
        self._begin_interval(now, not_before=probed + 1.0 / self.estimated_limit)

    @property
    def is_sound(self) -> bool:
        """True if every rate this state can produce is valid. Deserialised state is untrusted."""
        rates = min(self.estimated_limit, self.rate, self._doubling) > 0.0 and not self.unpaced
        return rates and self.period >= SHORTEST_PERIOD and 0.0 <= self._dip < 1.0

    @property
    def _known_window(self) -> float:
        return min(self.window, LONGEST_WINDOW)

    def _is_window(self, at: float) -> bool:
        return at - self.shut_at > 0.4 * (at - self._spell_began) and self._spell_admitted >= COUNT

    def _late(self, open_for: float, end: float) -> float:
        """Return the rate in the last window of the interval, or in its later half if no window is known; 0 if unknown."""
        if not self.window:
            return self._sent_since(end / 2.0, open_for) / (end / 2.0) if end >= LATE * self.period else 0.0
        last = max(1.1 * self.window, PERIOD / 2.0, COUNT / self.estimated_limit)
        return (self._sent_since(end - last, open_for) - 1.0) / last if end >= last else 0.0  # exact to one request

    def _learn(self, measured: float, elapsed: float, count: float) -> None:
        if self.fixed:
            return
        window = WINDOW_PERIOD * self._known_window
        longest = max(PERIOD, PERIOD_REQUESTS / measured, window)
        evidence = min(max(count, FEWEST_PERIOD_REQUESTS), SHORTEST_PERIOD_REQUESTS)
        shortest = max(SHORTEST_PERIOD, evidence / measured, window)
        surging = not self.started or measured > SURGE * self.estimated_limit
        self.period = min(max(0.0 if surging else max(elapsed, 0.7 * self.period), shortest), longest)
        self.estimated_limit, self.started = measured, True

    def _curve(self, since: float) -> float:
        if self.fixed:
            return self.estimated_limit
        since = max(since, 0.0)  # a cubic falls below zero before the interval
        if self.started:
            u = since / self.period - 1.0
            return self.estimated_limit * (1.0 + (RISE * u**5 if u > 0.0 else self._dip * u**3))
        if self._bounded:
            return search(since, estimate=self.estimated_limit, doubling=self._doubling)
        return math.inf if self.unpaced else start(since, estimate=self.estimated_limit)

    def _sent_since(self, start: float, end: float) -> float:
        """Return the number of requests that the curve sends between two times of the interval."""
        return self._sent_until(end) - self._sent_until(min(start, end))

    def _sent_until(self, since: float) -> float:
        """Return the curve's integral, up to a constant."""
        u = since / self.period - 1.0
        return self.estimated_limit * (since + self.period * (RISE * u**6 / 6.0 if u > 0.0 else self._dip * u**4 / 4.0))
