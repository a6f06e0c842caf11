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
    needs a lower *rate* at once: each 429 within half a period doubles the dip, until an interval is long again.

4.  Windows. A budget that cannot be saved up loses the requests of a dip, and the mean of an interval falls short of the
    limit. A pause that the server confirms (by a 429 for a probe), and that is much of the time since the last such
    reopening, is the rest of a window that was spent early. That time is the window, and the requests admitted in it are
    its budget. From then on the last window (plus a tenth, its error) is counted separately, and the period grows with
    it, since a window reacts to a probe only at its end. A much shorter window is more likely a Retry-After that was
    rounded up, so it takes several of them to shrink the known window.

5.  Small budgets. If a bucket or a window holds so few requests that network jitter alone causes 429s, the rate of the
    *later half* is the limit. It counts only after intervals of two periods: in a shorter one, it would include the
    bucket's savings.

6.  Start. The first interval begins with an unknown budget, which another process may just have used up. Its pause is
    left out, and its requests weigh no more than their number: a guess that is too high costs one 429, a guess that is
    too low costs hours. The second interval is exact.

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

RISE = 0.02
"""Part of the estimate: the smallest dip below it, and the overshoot after two periods that provokes a 429."""
DEEPEST_DIP, DEEPEST_SOON = 0.5, 8
"""The largest dip, and the number of early 429s in a row after which the dip is that deep."""
COUNT_ERROR = 5.0
"""Minimum of dip * requests of a period. The dip saves up a quarter of it."""

PERIOD = 14.0
PERIOD_REQUESTS = 75.0
"""Seconds, and requests. A slow limit needs a longer period to keep its 429s under one in a hundred requests."""
SHORTEST_PERIOD = 1.75
SHORTEST_PERIOD_REQUESTS = 35.0
"""Seconds, and requests: the period while the limit is unknown. It grows with the evidence."""
WINDOW_PERIOD = 0.65
"""The period as a part of the window: two of them reach into the second window, three and a half into the third."""
LONGEST_WINDOW = 230.0
"""Maximum seconds of a window: one long ban must not stop the learning for hours."""

COUNT = 10.0
"""Minimum requests of a measurement."""
LATE = 2.0
"""Minimum length of an interval, in periods, for its later half to count."""
SURGE = 1.15
"""A measurement this many times the estimate means that the limit was raised. The search uses short periods."""

START_RATE = 10.0
START_DOUBLING = 0.7
"""A cold start begins at this rate (requests/s) and doubles in this time (seconds) until the first 429."""

CATCH_UP = 0.05
"""Maximum delay of a timer, in seconds, for which requests may catch up; more would be a burst."""


@attrs.define
class RateController:
    """Learn a hidden limit from admissions and 429s, and schedule requests."""

    estimated_limit: float = START_RATE
    """Requests per second."""
    window: float = 0.0
    """Seconds; 0 if unknown."""
    started: bool = False
    """True after the cold start, once the limit has been measured."""
    fixed: bool = False
    """True for a configured limit, which never changes. Windows are still measured, to predict when a gate reopens."""
    period: float = PERIOD
    rate: float = START_RATE
    """Requests per second at the latest request."""

    _dip: float = attrs.field(default=RISE, alias="dip")
    _soon: int = 0
    """Number of consecutive intervals that ended within half a period."""
    _slot: float | None = None
    """Earliest start of the next request; None before the first."""
    _sent_at: float = 0.0
    _opened: float = 0.0
    """Start of the current interval, on the controller's clock: skipped time moves it."""
    admitted: int = 0
    """Number of requests in the current interval that this controller timed, without 429s."""
    shut_at: float = 0.0
    """Time of the first 429 of the latest pause."""
    _bounded: bool = False
    """True if the current interval began with a reopening."""
    _spell_began: float = 0.0
    """End of the last pause that may have been a window's, in real time."""
    _spell_admitted: int = 0
    _ceiling: float = math.inf
    _ceiling_until: float = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start."""
        return 0.0 if self._slot is None else max(0.0, self._slot - now)

    def sent(self, now: float) -> None:
        """Start one request: use the slot, and set the next one (GCRA with a tolerance of `CATCH_UP`)."""
        if self._slot is None:
            self._slot = self.begin(now)
        if now - self._slot > CATCH_UP:  # something else held the request back: skip that time
            self._opened += now - self._sent_at
        else:
            self.admitted += 1
        self._spell_admitted += 1
        self._sent_at = now
        wanted = self._curve(now - self._opened)
        self.rate = min(wanted, self._ceiling) if now < self._ceiling_until else wanted
        self._opened += 1.0 / self.rate - 1.0 / wanted
        self._slot = max(self._slot, now - CATCH_UP) + 1.0 / self.rate

    def probed(self, *, late: float) -> None:
        """Count a probe that started `late` seconds after its time. It counts as admitted until its 429 arrives."""
        idle = max(0.0, late - CATCH_UP)
        self._opened += idle
        self.shut_at += idle
        self._spell_began += idle
        self.admitted += 1
        self._spell_admitted += 1

    def withdraw(self) -> None:
        """Take back one admission: the request received a 429."""
        self.admitted -= 1
        self._spell_admitted -= 1

    def begin(self, now: float) -> float:
        """Start the controller's clock if it has not run yet; return the earliest start of the next request."""
        if self._slot is None:
            self._slot = self._opened = self._spell_began = self._sent_at = now
        return self._slot

    def pace(self, at: float) -> tuple[float, float]:
        """Return the rate of a reservation that begins at `at`, and the seconds to skip for each of its requests."""
        wanted = self._curve(at - self._opened)
        self.rate = min(wanted, self._ceiling) if at < self._ceiling_until else wanted
        return self.rate, 1.0 / self.rate - 1.0 / wanted

    def reserved(self, count: int, *, after_idle: int = 0, idle: float = 0.0) -> None:
        """Count requests that the processes sharing this controller have reserved.

        Args:
            count: Number of requests.
            after_idle: Number of them that something other than the controller held back. Only a window counts them.
            idle: Idle seconds of all processes, which the controller's clock skips.
        """
        self._opened += idle
        self.admitted += count - after_idle
        self._spell_admitted += count

    def move(self, seconds: float) -> None:
        """Convert all times to a clock that is `seconds` ahead of the current one."""
        self._slot = None if self._slot is None else self._slot + seconds
        self._sent_at += seconds
        self._opened += seconds
        self.shut_at += seconds
        self._spell_began += seconds
        self._ceiling_until += seconds

    def limit_as(self, other: RateController) -> None:
        """Copy the limits of this process's controller: the ceiling from the server's headers, and a configured rate."""
        self._ceiling, self._ceiling_until = other._ceiling, other._ceiling_until
        self.fixed = other.fixed
        if other.fixed:
            self.estimated_limit = self.rate = other.estimated_limit

    def limit_to(self, rate: float, *, until: float) -> None:
        """Limit the rate to `rate` requests per second until `until`, as the server's headers demand."""
        self._ceiling, self._ceiling_until = rate, until

    def shut(self, now: float) -> None:
        """Record the first 429 of a pause."""
        self.shut_at = now

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

    def reopened(self, now: float, *, at: float, proven: bool) -> None:
        """Learn from the interval between the last reopening and this one, and begin the next.

        Args:
            now: Monotonic seconds.
            at: Reopening of the server, as exactly as the probes show.
            proven: True if the server confirmed the pause, so that it was not only the client's gate.
        """
        open_for = max(self.shut_at - self._opened, 1e-3)
        elapsed, admitted = now - self._opened if self._bounded else open_for, self.admitted
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
        self._learn(max(mean, late, 1e-3), elapsed)
        self._soon = min(self._soon + 1, DEEPEST_SOON) if soon else 0
        self._dip = max(min(RISE * 2.0**self._soon, DEEPEST_DIP), COUNT_ERROR / (self.estimated_limit * self.period))
        if spent_window or not self._bounded or elapsed > PERIOD:
            self._spell_began, self._spell_admitted = at, 0
        self._bounded, self.admitted = True, 0
        self._opened = self._sent_at = now
        # After an early 429, the probe has taken all that the server saved up: the next request would be refused again.
        self._slot = max(now, at + 1.0 / self._curve(0.0)) if soon else now

    @property
    def is_sound(self) -> bool:
        """True if every rate this state can produce is valid. Deserialised state is untrusted."""
        return min(self.estimated_limit, self.rate) > 0.0 and self.period >= SHORTEST_PERIOD and 0.0 <= self._dip < 1.0

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

    def _learn(self, measured: float, elapsed: float) -> None:
        if self.fixed:
            return
        window = WINDOW_PERIOD * self._known_window
        longest = max(PERIOD, PERIOD_REQUESTS / measured, window)
        shortest = max(SHORTEST_PERIOD, SHORTEST_PERIOD_REQUESTS / measured, window)
        surging = not self.started or measured > SURGE * self.estimated_limit
        self.period = min(max(0.0 if surging else max(elapsed, 0.7 * self.period), shortest), longest)
        self.estimated_limit, self.started = measured, True

    def _curve(self, since: float) -> float:
        if self.fixed:
            return self.estimated_limit
        since = max(since, 0.0)  # a cubic falls below zero before the interval
        if not self.started:
            return self.estimated_limit * math.exp2(min(since / START_DOUBLING, 30.0))
        u = since / self.period - 1.0
        return self.estimated_limit * (1.0 + (RISE * u**5 if u > 0.0 else self._dip * u**3))

    def _sent_since(self, start: float, end: float) -> float:
        """Return the number of requests that the curve sends between two times of the interval."""
        return self._sent_until(end) - self._sent_until(min(start, end))

    def _sent_until(self, since: float) -> float:
        """Return the curve's integral, up to a constant."""
        u = since / self.period - 1.0
        return self.estimated_limit * (since + self.period * (RISE * u**6 / 6.0 if u > 0.0 else self._dip * u**4 / 4.0))
