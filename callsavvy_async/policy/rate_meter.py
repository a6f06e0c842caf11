"""Counts requests and times them, by a clock that runs only while the rate is what holds requests back.

Theory. Pacing is GCRA (ITU-T I.371): each request takes a slot and sets the next one, an interval of the present rate later.
Idle time, time under another cap and time under a ceiling of the server's headers prove nothing about the limit, so the
clock skips them. A window passes in real time, so its *spell* does not skip them.

Example. At 10/s a request starts at 0.0 s, and the next slot is at 0.1 s. A late timer takes it at 0.13 s, and the slot
after it is at 0.2 s. The next request comes at 60.0 s: it is not counted, and the clock skips 59.87 s.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import attrs

CATCH_UP = 0.05
"""Maximum delay of a timer, in seconds, for which requests may catch up; more would be a burst."""
START_RATE = 10.0
"""Requests per second at which processes that share a limit begin."""


@attrs.define
class RateMeter(ABC):
    """Count requests, and time them at the rate that a subclass decides."""

    rate: float = START_RATE
    """Requests per second at the latest request; infinite in an unpaced start."""
    admitted: int = 0
    """Number of requests in the current interval that this controller timed, without 429s."""
    shut_at: float = 0.0
    """Time of the first 429 of the latest pause."""

    _slot: float | None = None
    """Earliest start of the next request; None before the first."""
    _sent_at: float = 0.0
    _opened: float = 0.0
    """Start of the current interval, on the controller's clock: skipped time moves it."""
    _bounded: bool = False
    """True if the current interval began with a reopening."""
    _spell_began: float = 0.0
    """End of the last pause that may have been a window's, in real time."""
    _spell_admitted: int = 0
    _exhausted_at: float = 0.0
    """Time at which the first request was sent that received a 429."""
    _trickle: int = 0
    """Number of admitted requests that were sent later than that."""
    _trickle_until: float = 0.0
    _ceiling: float = math.inf
    _ceiling_until: float = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next request may start."""
        return 0.0 if self._slot is None else max(0.0, self._slot - now)

    def sent(self, now: float) -> None:
        """Start one request: use the slot, and set the next one (GCRA with a tolerance of `CATCH_UP`)."""
        if self._slot is None:
            self._slot = self.begin(now)
        if now - self._slot > CATCH_UP and self.rate < math.inf:  # something else held the request back: skip that time
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
        self._exhausted_at += seconds
        self._trickle_until += seconds
        self._spell_began += seconds
        self._ceiling_until += seconds

    def limit_to(self, rate: float, *, until: float) -> None:
        """Limit the rate to `rate` requests per second until `until`, as the server's headers demand."""
        self._ceiling, self._ceiling_until = rate, until

    @property
    def interval(self) -> float:
        """Seconds between two requests of late."""
        if self.rate < math.inf:
            return 1.0 / self.rate
        return (self._sent_at - self._opened) / max(self.admitted, 1)

    def shut(self, now: float, *, sent_at: float) -> None:
        """Record the first 429 of a pause, for a request sent at `sent_at`."""
        self.shut_at, self._exhausted_at = now, sent_at
        self._trickle, self._trickle_until = 0, sent_at

    def trickled(self, sent_at: float) -> None:
        """Record that a request was admitted while the gate is shut."""
        if sent_at > self._exhausted_at:
            self._trickle += 1
            self._trickle_until = max(self._trickle_until, sent_at)

    def resumed(self, now: float) -> None:
        """Continue after a pause that proves nothing about the rate."""
        self._opened += now - self._sent_at
        self._sent_at = now
        self._slot = max(now, self._slot or now)

    def _begin_interval(self, now: float, *, not_before: float) -> None:
        """Begin an interval. A probe that took all that the server had saved up delays the next request."""
        self._bounded, self.admitted = True, 0
        self._opened = self._sent_at = now
        self._slot = max(now, not_before)

    @abstractmethod
    def _curve(self, since: float) -> float:
        """Return the wanted rate `since` seconds after the start of the interval."""
