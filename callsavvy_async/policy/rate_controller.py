"""The rate controller: how fast to send when the limit is hidden and only refusals speak of it.

Theory. A server that limits a rate is a policer: it keeps a budget that fills at the limit and refuses when the budget is
empty. A client that is refused, waits until it is admitted again, and is refused again has emptied the budget at both
ends, so between two reopenings

    limit = requests admitted / time                  (the estimator of Linux's tcp_bbr.c, `lt_bw`; here `belief`)

whatever the sending rate was, for token buckets and windows alike. The sending rate is therefore free to serve as the
*probe*, and it follows one curve of the time `t` since the last reopening (TCP CUBIC's shape, RFC 9438, but flatter
around the belief and steeper beyond it), with u = t / period - 1:

    rate(t) = belief * (1 + dip * u^3)  while u < 0,     belief * (1 + RISE * u^5)  from then on

It starts a dip below the belief, stays within RISE of it until two periods have passed, which is when a bucket has been
emptied again and refuses once; and if no refusal comes, the belief is disproved and the rate runs away from it: a doubled
limit is met after 3.2 periods, one twenty times as high after 4.9. So one curve cruises, probes and escapes. A count is
good to one request, so that the belief errs by more the fewer requests a period has; the dip is deep enough to save up
what such an error overspends.

Counts move the belief; refusals only steer the rate. An interval must be as long as the `memory` (a period, a window, ten
requests) to replace the belief; the belief stands in for the rest of a shorter one. What a limit that has just fallen
needs at once is a lower *rate*: each refusal within half a period doubles the dip, until an interval goes well.

What a budget cannot save up, a dip loses, and then the mean of an interval falls short of the limit. Two such shapes:

-   Windows. A pause that the server itself insists on (a probe was refused in it) and that takes up much of the time
    since the last such reopening is the rest of a window that was spent early: that time is the window, what was admitted
    in it is its budget. Once the window is known, the last one (a little more, as it is known to a tenth) is counted
    on its own, and the period is stretched with it, since a window answers no probe before it ends. One stretch that looks
    like a much shorter window is more likely a Retry-After rounded up; it takes several to shrink what is known.
-   Buckets and windows of so few requests that the network's jitter is refused. There the rate of the *later half* is the
    limit. It is believed after intervals of two periods only: after short ones it would count what a bucket had saved up.

The very first interval begins with a budget of unknown filling: another process may have used it up a moment ago. Its
pause therefore proves nothing and is left out, and what was admitted before it weighs no more than its number; a guess
that is too high costs a refusal, one that is too low would cost hours. The second interval is exact.

The controller's clock runs only while the controller is what holds requests back: time in which nobody wanted to send, or another
cap was in force, proves nothing and is skipped. All times are monotonic seconds; nothing here reads a clock.

Quantities
    belief    requests/s     what the limit is thought to be
    window    s              in which a budget is spent and renewed, 0 if none is known
    period    s              half a cycle between two refusals; short while the limit is being searched for
    dip       (ratio)        how far below the belief an interval begins
"""

from __future__ import annotations

import math

import attrs

RISE = 0.02
"""Part of the belief: the least dip below it, and the overshoot after two periods that provokes a refusal."""
DEEPEST_DIP = 0.5
COUNT_ERROR = 5.0
"""Requests: the dip times the requests of a period, at least. A quarter of it is what the dip saves up."""

PERIOD = 14.0
PERIOD_REQUESTS = 75.0
"""Seconds, and requests: a slow limit needs a longer period for its refusals to stay under one in a hundred."""
SHORTEST_PERIOD = 1.75
SHORTEST_PERIOD_REQUESTS = 35.0
"""Seconds, and requests: the period right after the belief was disproved. It grows with the evidence."""
WINDOW_PERIOD = 0.65
"""The period as a part of the window: two of them reach into the second window, three and a half into the third."""
LONGEST_WINDOW = 230.0
"""Seconds: one long ban must not make the controller blind for hours."""

COUNT = 10.0
"""Requests: fewer make no measurement."""
LATE = 2.0
"""Periods that an interval must last for its later half to be believed."""
SURGE = 1.15
"""A measurement this many times the belief disproves it: the limit was raised, and is searched for with short periods."""

START_RATE = 10.0
START_DOUBLING = 0.7
"""A cold start doubles from this rate (requests/s) in this time (seconds) until the first refusal."""

CATCH_UP = 0.05
"""Late timers may be made good for by this many seconds' worth of requests; more would be a burst."""


@attrs.frozen
class Forecast:
    """What is foretold of a server that has begun to refuse.

    Attributes:
        debt: seconds until the belief has caught up with what was admitted; 0 if that foretells nothing.
        rest: seconds until the known window is over; 0 if it is, or if none is known.
        began: when the budget that is used up now may have been renewed, in monotonic seconds.
        window_known: whether it is known how long it takes to be renewed.
    """

    debt: float = 0.0
    rest: float = 0.0
    began: float = 0.0
    window_known: bool = True


@attrs.define
class RateController:
    """Learn one hidden limit from admissions and refusals, and say when the next request may start."""

    estimated_limit: float = START_RATE
    """Requests per second."""
    window: float = 0.0
    """Seconds; 0 where none is known."""
    started: bool = False
    """Whether the cold start is over: the belief has been measured at least once."""
    period: float = PERIOD
    rate: float = START_RATE
    """Requests per second at the latest request."""

    _dip: float = RISE
    _soon: int = 0
    """How many intervals in a row ended within half a period."""
    _slot: float | None = None
    """When the next request may start; None before the first."""
    _sent_at: float = 0.0
    _opened: float = 0.0
    """When the running interval began, on the controller's own clock: moved along by all that is skipped."""
    _admitted: int = 0
    """How many requests the controller itself timed since then and were not refused."""
    _shut_at: float = 0.0
    _bounded: bool = False
    """Whether the running interval began with a reopening."""
    _spell_began: float = 0.0
    """When the last pause ended that may have been a window's, in real time."""
    _spell_admitted: int = 0
    _ceiling: float = math.inf
    _ceiling_until: float = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start."""
        return 0.0 if self._slot is None else max(0.0, self._slot - now)

    def sent(self, now: float) -> None:
        """Start one request: take the slot, and set the next one (GCRA with `CATCH_UP` of tolerance)."""
        if self._slot is None:
            self._slot = self.begin(now)
        if now - self._slot > CATCH_UP:  # something else held this request back: the controller's clock stood still
            self._opened += now - self._sent_at
        else:
            self._admitted += 1
        self._spell_admitted += 1
        self._sent_at = now
        wanted = self._curve(now - self._opened)
        self.rate = min(wanted, self._ceiling) if now < self._ceiling_until else wanted
        self._opened += 1.0 / self.rate - 1.0 / wanted
        self._slot = max(self._slot, now - CATCH_UP) + 1.0 / self.rate

    def probed(self, *, late: float) -> None:
        """Count a probe that started `late` seconds after it might have: until it is refused it is one more admission."""
        idle = max(0.0, late - CATCH_UP)
        self._opened += idle
        self._shut_at += idle
        self._spell_began += idle
        self._admitted += 1
        self._spell_admitted += 1

    def withdraw(self) -> None:
        """Take back one admission: the request was refused after all."""
        self._admitted -= 1
        self._spell_admitted -= 1

    def begin(self, now: float) -> float:
        """Start the controller's clock, if it has not run yet; returns when the next request may start."""
        if self._slot is None:
            self._slot = self._opened = self._spell_began = self._sent_at = now
        return self._slot

    def pace(self, at: float) -> tuple[float, float]:
        """Return the requests per second of a reservation that begins `at`, and the seconds that each sets the clock back."""
        wanted = self._curve(at - self._opened)
        self.rate = min(wanted, self._ceiling) if at < self._ceiling_until else wanted
        return self.rate, 1.0 / self.rate - 1.0 / wanted

    def reserved(self, count: int, *, after_idle: int = 0, idle: float = 0.0) -> None:
        """Count requests that were reserved by whoever shares the controller.

        Args:
            count: how many.
            after_idle: how many of them something else held back: they are not the controller's doing, but a window counts them.
            idle: seconds for which nobody wanted to send: the controller's clock stood still.
        """
        self._opened += idle
        self._admitted += count - after_idle
        self._spell_admitted += count

    def move(self, seconds: float) -> None:
        """Keep the same times on another clock, which is that much ahead of the one so far."""
        self._slot = None if self._slot is None else self._slot + seconds
        self._sent_at += seconds
        self._opened += seconds
        self._shut_at += seconds
        self._spell_began += seconds
        self._ceiling_until += seconds

    @property
    def shut_at(self) -> float:
        """When the server last began to refuse."""
        return self._shut_at

    @property
    def admitted(self) -> int:
        """How many requests of the running interval were not refused."""
        return self._admitted

    def limit_as(self, other: RateController) -> None:
        """Keep to what the server has told another controller."""
        self._ceiling, self._ceiling_until = other._ceiling, other._ceiling_until

    def limit_to(self, rate: float, *, until: float) -> None:
        """Keep to `rate` requests per second at most until then: the server said so itself."""
        self._ceiling, self._ceiling_until = rate, until

    def shut(self, now: float) -> None:
        """Note that the server has begun to refuse."""
        self._shut_at = now

    def forecast(self, now: float) -> Forecast:
        """Foretell when the server will reopen.

        A window that was used up early reopens when the belief has caught up with what was admitted. But no pause is longer
        than the window, and a client that is more than a quarter ahead of its belief has disproved it.
        """
        elapsed = now - self._opened
        ahead = self._admitted / self.estimated_limit - elapsed
        debt = ahead if 0.0 < ahead < min(self.window, 0.25 * elapsed) else 0.0
        rest = max(0.0, self._spell_began + self._known_window - now)
        return Forecast(debt, rest, self._spell_began, window_known=self.window > 0.0)

    def reopened(self, now: float, *, at: float, proven: bool) -> None:
        """Learn from the interval between the last reopening and this one, and begin the next.

        Args:
            now: monotonic seconds.
            at: when the server reopened, as nearly as the probes tell.
            proven: whether the server itself was shut meanwhile, and not only the client's own gate.
        """
        open_for = max(self._shut_at - self._opened, 1e-3)
        elapsed, admitted = now - self._opened if self._bounded else open_for, self._admitted
        spent_window = self._bounded and proven and self._is_window(at)
        if spent_window and at - self._spell_began < 0.5 * self.window:
            spent_window, self.window = False, 0.5 * self.window
        soon = self.started and not spent_window and open_for < self.period / 2.0
        memory = max(COUNT / self.estimated_limit, self._known_window, self.period if self.started else 0.0)
        if spent_window:
            elapsed, admitted = at - self._spell_began, self._spell_admitted
            self.window = min(self.window, elapsed) if elapsed < 1.25 * self.window else elapsed
        mean = (admitted + max(0.0, memory - elapsed) * self.estimated_limit) / max(elapsed, memory)
        late = self._late(open_for, at - self._opened if proven else open_for) if self.started else 0.0
        self._believe(max(mean, late, 1e-3), elapsed)
        self._soon = self._soon + 1 if soon else 0
        self._dip = max(min(RISE * 2.0**self._soon, DEEPEST_DIP), COUNT_ERROR / (self.estimated_limit * self.period))
        if spent_window or not self._bounded or elapsed > PERIOD:
            self._spell_began, self._spell_admitted = at, 0
        self._bounded, self._admitted = True, 0
        self._slot = self._opened = self._sent_at = now

    @property
    def is_sound(self) -> bool:
        """Whether every pace of it is one: what was read from elsewhere may be anything."""
        return min(self.estimated_limit, self.rate) > 0.0 and self.period >= SHORTEST_PERIOD and 0.0 <= self._dip < 1.0

    @property
    def _known_window(self) -> float:
        return min(self.window, LONGEST_WINDOW)

    def _is_window(self, at: float) -> bool:
        return at - self._shut_at > 0.4 * (at - self._spell_began) and self._spell_admitted >= COUNT

    def _late(self, open_for: float, end: float) -> float:
        """Return requests per second sent in the last window of the interval or else in its later half; 0 if unknown."""
        if not self.window:
            return self._sent_since(end / 2.0, open_for) / (end / 2.0) if end >= LATE * self.period else 0.0
        last = max(1.1 * self.window, PERIOD / 2.0, COUNT / self.estimated_limit)
        return (self._sent_since(end - last, open_for) - 1.0) / last if end >= last else 0.0  # good to one request

    def _believe(self, measured: float, elapsed: float) -> None:
        window = WINDOW_PERIOD * self._known_window
        longest = max(PERIOD, PERIOD_REQUESTS / measured, window)
        shortest = max(SHORTEST_PERIOD, SHORTEST_PERIOD_REQUESTS / measured, window)
        surging = not self.started or measured > SURGE * self.estimated_limit
        self.period = min(max(0.0 if surging else max(elapsed, 0.7 * self.period), shortest), longest)
        self.estimated_limit, self.started = measured, True

    def _curve(self, since: float) -> float:
        since = max(since, 0.0)  # before an interval there is nothing to go by, and a cubic falls below zero
        if not self.started:
            return self.estimated_limit * math.exp2(min(since / START_DOUBLING, 30.0))
        u = since / self.period - 1.0
        return self.estimated_limit * (1.0 + (RISE * u**5 if u > 0.0 else self._dip * u**3))

    def _sent_since(self, start: float, end: float) -> float:
        """Return how many requests the curve sends between two times of the interval."""
        return self._sent_until(end) - self._sent_until(min(start, end))

    def _sent_until(self, since: float) -> float:
        """Return the curve's integral, but for a constant."""
        u = since / self.period - 1.0
        return self.estimated_limit * (since + self.period * (RISE * u**6 / 6.0 if u > 0.0 else self._dip * u**4 / 4.0))
