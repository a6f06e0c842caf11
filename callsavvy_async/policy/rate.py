"""The rate law: how fast to send when the limit is hidden and only refusals speak of it.

Theory. A server that limits a rate is a policer: it keeps a budget that fills at the limit and refuses when the budget is
empty. A client that is refused, waits until it is admitted again, and is refused again has emptied the budget at both
ends, so between two reopenings

    limit = requests admitted / time                  (the estimator of Linux's tcp_bbr.c, `lt_bw`; here `belief`)

whatever the sending rate was, for token buckets and windows alike. The sending rate is therefore free to serve as the
*probe*, and it follows one cubic of the time `t` since the last reopening (the shape of TCP CUBIC, RFC 9438):

    rate(t) = belief * (1 + DIP * (t / period - 1)^3)

It starts DIP below the belief, lingers around it for one period, has paid its own dip back after two, which is when a
bucket is empty and refuses once; and if no refusal comes, the belief is disproved and the rate runs away from it: a
doubled limit is met after 3.7 periods. So one curve cruises, probes and escapes.

Quantities
    belief    requests/s     what the limit is thought to be
    period    s              half a cycle between two refusals; as long as the evidence behind the belief, <= PERIOD
    DIP       (ratio)        depth of the dip below the belief, and the overshoot that provokes a refusal
    MEMORY    (ratio)        of a period: how long an interval must be to outweigh what was believed before it

Two corrections. A window cannot save up what a dip left unused, so the mean of a cycle falls short of a window's limit;
the *later half* of the interval is then the better measure (of a bucket's cycle the two agree within DIP / 4). And a
pause longer than PERIOD betrays a window longer than PERIOD: there the mean includes the pause, which makes it exact,
and the period stretches to half the interval, so that the budget is spread over the window.

The very first interval begins with a budget of unknown filling: another process may have used it up a moment ago. Its
pause therefore proves nothing and is left out, and what was admitted before it weighs no more than its number; a guess
that is too high costs a refusal, one that is too low would cost hours. The second interval is exact.

The law's clock runs only while the law is what holds requests back: time in which nobody wanted to send, or another
cap was in force, proves nothing and is skipped. All times are monotonic seconds; nothing here reads a clock.
"""

from __future__ import annotations

import math

import attrs

DIP = 0.05
MEMORY = 0.2
MEMORY_REQUESTS = 10.0
PERIOD = 14.0
PERIOD_REQUESTS = 75.0
"""Seconds, and requests: a slow limit needs a longer period for its refusals to stay under one in a hundred."""

LONGEST_PERIOD = 150.0
"""Seconds: half of the longest window that a budget is spread over; one long ban must not make the law blind for hours."""

START_RATE = 10.0
START_DOUBLING = 1.0
"""A cold start doubles from this rate (requests/s) in this time (seconds) until the first refusal."""

CATCH_UP = 0.05
"""Late timers may be made good for by this many seconds' worth of requests; more would be a burst."""

SURGE = 1.3
"""Admissions this many times the belief disprove it: the limit was raised, and is searched for with short periods."""

_MARKS = 64


@attrs.define
class RateLaw:
    """Learn one hidden limit from admissions and refusals, and say when the next request may start."""

    belief: float = START_RATE
    """Requests per second."""
    started: bool = False
    """Whether the cold start is over: the belief has been measured at least once."""
    period: float = PERIOD
    longest_pause: float = 0.0
    """Seconds: the longest time the server has stayed shut, a lower bound of its window."""
    rate: float = START_RATE
    """Requests per second at the latest request."""

    _bounded: bool = False
    """Whether the running interval began with a reopening."""
    _slot: float | None = None
    _opened: float = 0.0
    _shut_at: float = 0.0
    _admitted: int = 0
    _marks: list[tuple[float, int]] = attrs.field(factory=list)
    _spacing: float = 0.25
    _ceiling: float = math.inf
    _ceiling_until: float = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start."""
        return 0.0 if self._slot is None else max(0.0, self._slot - now)

    def sent(self, now: float) -> None:
        """Start one request: take the slot, and set the next one (GCRA with `CATCH_UP` of tolerance)."""
        if self._slot is None:
            self._slot = self._opened = now
        self.skip(now - self._slot)
        since = now - self._opened
        wanted = self._curve(since)
        self.rate = min(wanted, self._ceiling) if now < self._ceiling_until else wanted
        self._opened += 1.0 / self.rate - 1.0 / wanted
        self._slot = max(self._slot, now - CATCH_UP) + 1.0 / self.rate
        self._admitted += 1
        self._mark(since)

    def skip(self, idle: float) -> None:
        """Leave out `idle` seconds in which something other than this law held requests back."""
        lost = max(0.0, idle - CATCH_UP)
        self._opened += lost
        self._shut_at += lost

    def probed(self) -> None:
        """Count a probe of a shut gate: until it is refused it is one more admission."""
        self._admitted += 1

    def withdraw(self) -> None:
        """Take back one admission: the request was refused after all."""
        self._admitted -= 1

    def limit_to(self, rate: float, *, until: float) -> None:
        """Keep to `rate` requests per second at most until then: the server said so itself."""
        self._ceiling, self._ceiling_until = rate, until

    def shut(self, now: float) -> None:
        """Note that the server has begun to refuse."""
        self._shut_at = now

    def debt(self, now: float) -> float:
        """Return the seconds until the belief has caught up with what was admitted, or 0 if that foretells nothing.

        A window that was used up early reopens exactly then. But a client that is more than a quarter ahead of its
        belief has disproved it.
        """
        elapsed = now - self._opened
        ahead = self._admitted / self.belief - elapsed
        return ahead if self.started and 0.0 < ahead < 0.25 * elapsed else 0.0

    def reopened(self, now: float) -> None:
        """Learn from the interval between the last reopening and this one, and begin the next."""
        pause = now - self._shut_at if self._bounded else 0.0
        self.longest_pause = max(self.longest_pause, pause)
        elapsed = max((now if self._bounded else self._shut_at) - self._opened, 1e-3)
        measured, surging = self._measure(elapsed, pause) if self._bounded else (self._admitted / elapsed, False)
        memory = max(MEMORY_REQUESTS, MEMORY * self.period * self.belief) if self.started else MEMORY_REQUESTS
        measured = (memory + measured * elapsed) / (memory / self.belief + elapsed)
        surging = surging or not self.started
        longest = max(PERIOD, PERIOD_REQUESTS / measured)
        if self.longest_pause > PERIOD:
            self.period = min(
                max(elapsed / 2.0, longest), max(2.0 * longest, min(self.longest_pause / 2.0, LONGEST_PERIOD))
            )
        else:
            evidence = 0.0 if surging else max(elapsed, 0.7 * self.period)
            self.period = min(max(evidence, longest / 8.0), longest)
        self.belief, self.started, self._bounded = measured, True, True
        self._slot = self._opened = now
        self._admitted = 0
        self._marks.clear()
        self._spacing = 0.25

    def _measure(self, elapsed: float, pause: float) -> tuple[float, bool]:
        """Return requests per second admitted in the interval, and whether they disprove the belief."""
        mean = self._admitted / elapsed
        counted = pause > elapsed / 10.0
        end = elapsed if counted else elapsed - pause
        since, before = max((mark for mark in self._marks if mark[0] <= end / 2.0), default=(0.0, 0))
        late = (self._admitted - before - 0.5) / max(end - since, 0.5)  # a count is good to half a request
        surging = late > SURGE * self.belief
        trust_late = surging or self.longest_pause < PERIOD
        return max(mean, late if trust_late else 0.0, 1e-3), surging

    def _curve(self, since: float) -> float:
        if not self.started:
            return self.belief * math.exp2(min(since / START_DOUBLING, 30.0))
        return self.belief * (1.0 + DIP * (since / self.period - 1.0) ** 3)

    def _mark(self, since: float) -> None:
        """Remember how many had been admitted by then; at most `_MARKS` times, thinned out evenly."""
        if self._marks and since < self._marks[-1][0] + self._spacing:
            return
        if len(self._marks) == _MARKS:
            del self._marks[1::2]
            self._spacing *= 2.0
        self._marks.append((since, self._admitted))
