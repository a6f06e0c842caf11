"""The rate law: how fast to send when the limit is hidden and only refusals speak of it.

Theory. A server that limits a rate is a policer: it keeps a budget that fills at the limit and refuses when the budget is
empty. A client that is refused, waits until it is admitted again, and is refused again has emptied the budget at both
ends, so between two reopenings

    limit = requests admitted / time                  (the estimator of Linux's tcp_bbr.c, `lt_bw`; here `belief`)

whatever the sending rate was, for token buckets and windows alike. The sending rate is therefore free to serve as the
probe (`curve`). A count is good to one request, so that the belief errs by more the fewer requests a period has; the
dip is deep enough to save up what such an error overspends.

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

The first interval begins with a budget of unknown filling, so that the requests that it admitted say little. What says more is
what was admitted *after* the first refusal, among the requests that were under way: the budget was empty then, and let
through what it was filled with. From that lower bound the rate is searched upwards until the second refusal, whose interval
counts in full. Where nothing was let through for long, after much had been admitted, the first pause shows a window.
A client that was refused at once, or is kept waiting for long after a handful, has met what others left; it starts anew, once.

The law's clock runs only while the law is what holds requests back: time in which nobody wanted to send, or another
cap was in force, proves nothing and is skipped. All times are monotonic seconds; nothing here reads a clock.

Example. A hidden bucket of 20/s that holds 20. Of the 28 requests of the first 0.4 s the 22nd is refused first, and of the
six after it one is admitted. The probe 0.2 s later is admitted too: 2 requests in 0.2 s, so the search begins at 10/s. It
is refused at 40/s, after 1.6 s in which 33 were admitted: a belief of 20.6/s, with a period of 1.75 s. The next interval
lasts 4 s and measures 20.1/s, the one after it 8 s and 20.0/s.

Quantities
    belief    requests/s     what the limit is thought to be
    window    s              in which a budget is spent and renewed, 0 if none is known
    period    s              half a cycle between two refusals; short while the limit is being searched for
    dip       (ratio)        how far below the belief an interval begins
"""

from __future__ import annotations

import math
from functools import partial

import attrs

from callsavvy_async.policy.curve import RISE, cruise, cruised, search, start
from callsavvy_async.policy.meter import START_RATE, Meter

DEEPEST_DIP = 0.5
COUNT_ERROR = 1.5
"""Requests: the dip times the requests of a period, at least. A quarter of it is what the dip saves up."""

PERIOD = 14.0
PERIOD_REQUESTS = 75.0
"""Seconds, and requests: a slow limit needs a longer period for its refusals to stay under one in a hundred."""
SHORTEST_PERIOD = 1.75
SHORTEST_PERIOD_REQUESTS = 10.0
"""Seconds, and requests: the period right after the belief was disproved. It grows with the evidence."""
WINDOW_PERIOD = 0.65
"""The period as a part of the window: two of them reach into the second window, three and a half into the third."""
LONGEST_WINDOW = 230.0
"""Seconds: one long ban must not make the law blind for hours."""

COUNT = 10.0
"""Requests: fewer make no measurement."""
TRICKLE = 3
"""Requests admitted after the first refusal that show a rate: one or two may have overtaken on the way."""
LONG_REFILL = 10.0
"""Seconds: a budget that takes longer to be renewed, and of which next to nothing was there, was used up by others."""
SHORTEST_FIRST_WINDOW = 4.0
"""Seconds: what a cold start meets may be a shorter pause for other reasons."""
LATE = 2.0
"""Periods that an interval must last for its later half to be believed."""
SURGE = 1.15
"""A measurement this many times the belief disproves it: the limit was raised, and is searched for with short periods."""


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
class RateLaw(Meter):
    """Learn one hidden limit from admissions and refusals, and say when the next request may start."""

    belief: float = START_RATE
    """Requests per second."""
    window: float = 0.0
    """Seconds; 0 where none is known."""
    started: bool = False
    """Whether the cold start is over: the belief has been measured at least once."""
    unpaced: bool = False
    """Whether a cold start is left to what may be in flight until the first refusal."""
    period: float = PERIOD

    _dip: float = RISE
    _soon: int = 0
    """How many intervals in a row ended within half a period."""

    def limit_as(self, other: RateLaw) -> None:
        """Keep to what the server has told another law."""
        self._ceiling, self._ceiling_until = other._ceiling, other._ceiling_until

    def forecast(self, now: float) -> Forecast:
        """Foretell when the server will reopen.

        A window that was used up early reopens when the belief has caught up with what was admitted. But no pause is longer
        than the window, and a client that is more than a quarter ahead of its belief has disproved it.
        """
        elapsed = now - self._opened
        ahead = self._admitted / self.belief - elapsed
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
        if not self.started and not self._bounded:
            self._begin_search(now, at=at, proven=proven)
            return
        open_for = max(self._shut_at - self._opened, 1e-3)
        elapsed, admitted = now - self._opened if self._bounded else open_for, self._admitted
        spent_window = self._bounded and proven and self._is_window(at)
        if spent_window and at - self._spell_began < 0.5 * self.window:
            spent_window, self.window = False, 0.5 * self.window
        soon = self.started and not spent_window and open_for < self.period / 2.0
        memory = max(COUNT / self.belief, self._known_window, self.period) if self.started else 0.0
        if spent_window:
            elapsed, admitted = at - self._spell_began, self._spell_admitted
            self.window = min(self.window, elapsed) if elapsed < 1.25 * self.window else elapsed
        mean = (admitted + max(0.0, memory - elapsed) * self.belief) / max(elapsed, memory)
        late = self._late(open_for, at - self._opened if proven else open_for) if self.started else 0.0
        self._believe(max(mean, late, 1e-3), elapsed)
        self._soon = self._soon + 1 if soon else 0
        self._dip = max(min(RISE * 2.0 ** min(self._soon, 9), DEEPEST_DIP), COUNT_ERROR / (self.belief * self.period))
        if spent_window or not self._bounded or elapsed > PERIOD:
            self._spell_began, self._spell_admitted = at, 0
        self._begin_interval(now, at)

    def _begin_search(self, now: float, *, at: float, proven: bool) -> None:
        """Begin the search with what was admitted after the first refusal: the server's budget was empty then."""
        if (
            not self._resumed
            and self._admitted < COUNT
            and (not self._admitted or at - self._exhausted_at > LONG_REFILL)
        ):
            self._begin_anew(now)
            return
        refill, whole = max(at - self._exhausted_at, 1e-3), max(at - self._opened, 1e-3)
        belief = (self._trickle + 1) / refill
        if self._trickle >= TRICKLE:
            belief = max(belief, self._trickle / max(self._trickle_until - self._exhausted_at, 1e-3))
        elif proven and self._admitted >= COUNT:
            belief = max(belief, self._admitted / whole)
            if refill > max(SHORTEST_FIRST_WINDOW, whole / 2.0):
                self.window = whole
                self._believe(belief, whole)
        self.belief = self.rate = belief
        self._spell_began, self._spell_admitted = at, 0
        self._begin_interval(now, at)

    def _begin_anew(self, now: float) -> None:
        """Start cold once more: others had used the budget up, and it has been renewed now."""
        self._resumed, self._admitted, self._spell_admitted = True, 0, 0
        self._slot = self._opened = self._sent_at = self._spell_began = now

    def _begin_interval(self, now: float, at: float) -> None:
        """Begin an interval: the probe has taken what the server had at its reopening."""
        self._bounded, self._admitted = True, 0
        self._opened = self._sent_at = now
        self._slot = max(now, at + 1.0 / self._curve(0.0))

    @property
    def is_sound(self) -> bool:
        """Whether every pace of it is one: what was read from elsewhere may be anything."""
        return min(self.belief, self.rate) > 0.0 and self.period >= SHORTEST_PERIOD and 0.0 <= self._dip < 1.0

    @property
    def _known_window(self) -> float:
        return min(self.window, LONGEST_WINDOW)

    def _is_window(self, at: float) -> bool:
        return at - self._shut_at > 0.4 * (at - self._spell_began) and self._spell_admitted >= COUNT

    def _late(self, open_for: float, end: float) -> float:
        """Return requests per second sent in the last window of the interval or else in its later half; 0 if unknown."""
        if not self.window:
            saved = self.belief * self.period * self._dip / 4.0
            late = self._sent_since(end / 2.0, open_for) - saved
            return late / (end / 2.0) if end >= LATE * self.period else 0.0
        last = max(1.1 * self.window, PERIOD / 2.0, COUNT / self.belief)
        return (self._sent_since(end - last, open_for) - 1.0) / last if end >= last else 0.0  # good to one request

    def _believe(self, measured: float, elapsed: float) -> None:
        window = WINDOW_PERIOD * self._known_window
        longest = max(PERIOD, PERIOD_REQUESTS / measured, window)
        shortest = max(SHORTEST_PERIOD, SHORTEST_PERIOD_REQUESTS / measured, window)
        surging = not self.started or measured > SURGE * self.belief
        self.period = min(max(0.0 if surging else max(elapsed, 0.7 * self.period), shortest), longest)
        self.belief, self.started = measured, True

    def _curve(self, since: float) -> float:
        since = max(since, 0.0)  # before an interval there is nothing to go by, and a cubic falls below zero
        if self.started:
            return cruise(since, belief=self.belief, period=self.period, dip=self._dip)
        if self._bounded:
            return search(since, belief=self.belief)
        return math.inf if self.unpaced else start(since, belief=self.belief)

    def _sent_since(self, beginning: float, end: float) -> float:
        """Return how many requests the curve sends between two times of the interval."""
        sent = partial(cruised, belief=self.belief, period=self.period, dip=self._dip)
        return sent(end) - sent(min(beginning, end))
