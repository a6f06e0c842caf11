"""What was sent and admitted, and when the next request may start, by a clock that runs only while the pace is what holds back.

Theory. Pacing is GCRA (ITU-T I.371): each request takes a slot and sets the next one, an interval of the present pace later. The
clock of the pace stands still while nobody wants to send, while another cap is in force, or while a ceiling of the server's own
is: that time proves nothing about the limit. A window does not care about it, so that its *spell* runs by real time.

Example. At 10/s a request starts at 0.0 s, and the next slot is at 0.1 s. It is taken at 0.13 s: a late timer, made good
for, and the slot after it is at 0.2 s. The next request comes at 60.0 s only: it is not counted, and the clock is set back
by 59.87 s.
"""

from __future__ import annotations

import math

import attrs

CATCH_UP = 0.05
"""Late timers may be made good for by this many seconds' worth of requests; more would be a burst."""
START_RATE = 10.0
"""Requests per second at which processes that share a limit begin."""


@attrs.define
class Meter:
    """Count requests, and time them by a pace that a subclass knows."""

    rate: float = START_RATE
    """Requests per second at the latest request."""

    _slot: float | None = None
    """When the next request may start; None before the first."""
    _sent_at: float = 0.0
    _opened: float = 0.0
    """When the running interval began, on the law's own clock: moved along by all that is skipped."""
    _admitted: int = 0
    """How many requests the law itself timed since then and were not refused."""
    _shut_at: float = 0.0
    _bounded: bool = False
    """Whether the running interval began with a reopening."""
    _spell_began: float = 0.0
    """When the last pause ended that may have been a window's, in real time."""
    _spell_admitted: int = 0
    _resumed: bool = False
    """Whether a cold start has begun anew already."""
    _trickle: int = 0
    """How many requests were admitted that had been sent after the first that was refused."""
    _trickle_until: float = 0.0
    _exhausted_at: float = 0.0
    """When the first request was sent that was refused."""
    _ceiling: float = math.inf
    _ceiling_until: float = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start."""
        return 0.0 if self._slot is None else max(0.0, self._slot - now)

    def sent(self, now: float) -> None:
        """Start one request: take the slot, and set the next one (GCRA with `CATCH_UP` of tolerance)."""
        if self._slot is None:
            self._slot = self.begin(now)
        if now - self._slot > CATCH_UP and self.rate < math.inf:  # held back by something else: the clock stood still
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
        """Start the clock, if it has not run yet; returns when the next request may start."""
        if self._slot is None:
            self._slot = self._opened = self._spell_began = self._sent_at = now
        return self._slot

    def pace(self, at: float) -> tuple[float, float]:
        """Return the requests per second of a booking that begins `at`, and the seconds that each sets the clock back."""
        wanted = self._curve(at - self._opened)
        self.rate = min(wanted, self._ceiling) if at < self._ceiling_until else wanted
        return self.rate, 1.0 / self.rate - 1.0 / wanted

    def booked(self, count: int, *, untimed: int = 0, idle: float = 0.0) -> None:
        """Count requests that were booked by whoever shares the law.

        Args:
            count: how many.
            untimed: how many of them something else held back: they are not the law's doing, but a window counts them.
            idle: seconds for which nobody wanted to send: the clock stood still.
        """
        self._opened += idle
        self._admitted += count - untimed
        self._spell_admitted += count

    def move(self, seconds: float) -> None:
        """Keep the same times on another clock, which is that much ahead of the one so far."""
        self._slot = None if self._slot is None else self._slot + seconds
        self._sent_at += seconds
        self._opened += seconds
        self._shut_at += seconds
        self._exhausted_at += seconds
        self._trickle_until += seconds
        self._spell_began += seconds
        self._ceiling_until += seconds

    @property
    def next_at(self) -> float:
        """When the next request may start; minus infinity if none has."""
        return -math.inf if self._slot is None else self._slot

    @property
    def shut_at(self) -> float:
        """When the server last began to refuse."""
        return self._shut_at

    @property
    def admitted(self) -> int:
        """How many requests of the running interval were not refused."""
        return self._admitted

    def limit_to(self, rate: float, *, until: float) -> None:
        """Keep to `rate` requests per second at most until then: the server said so itself."""
        self._ceiling, self._ceiling_until = rate, until

    def resumed(self, now: float) -> None:
        """Go on after a pause that proved nothing of the rate: the clock stood still."""
        self._opened += now - self._sent_at
        self._sent_at = now
        self._slot = max(now, self._slot or now)

    def shut(self, now: float, *, sent_at: float | None = None) -> None:
        """Note that the server has begun to refuse: by `now` it is known of a request that was sent at `sent_at`."""
        self._shut_at = now
        self._exhausted_at = now if sent_at is None else sent_at
        self._trickle, self._trickle_until = 0, self._exhausted_at

    def trickled(self, sent_at: float) -> None:
        """Note that a request was admitted while the gate is shut: it counts if it was sent after the first that was refused."""
        if sent_at > self._exhausted_at:
            self._trickle += 1
            self._trickle_until = max(self._trickle_until, sent_at)

    @property
    def interval(self) -> float:
        """Seconds between two requests of late."""
        if self.rate < math.inf:
            return 1.0 / self.rate
        return max(self._sent_at - self._opened, 1e-3) / max(self._admitted, 1)

    def _curve(self, since: float) -> float:
        """Return the requests per second that are wanted `since` seconds after the interval began, by the clock of the pace."""
        raise NotImplementedError
