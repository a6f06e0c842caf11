"""The gate: after a refusal everybody waits, one request probes, and its success lets the others through.

Theory. Requests that were refused say the same thing, so one pause is enough for all of them. With a Retry-After the
pause is exact. Without, the server's budget is either refilled within a request or two (a bucket) or shut for the rest
of a window: the first probe is sent after 1.5 request intervals and some of the time a refusal takes, in which what was
under way has completed; each refused probe makes the next pause longer by a third, at most `LONGEST_PAUSE`.

Where the rate controller foretells when the server reopens, the probes wait for most of that time at once; a prediction is not
proof, so they set in early and come densely. Where no window is known yet, people are known: they choose round windows. A
pause that would pass over a round time since the last reopening ends there.

A probe that ends without a verdict (cancelled, timed out, failed) proves nothing, and is sent again.
"""

from __future__ import annotations

import math

import attrs

from callsavvy_async.policy.rate_controller import Forecast

FIRST_PAUSE = 1.5
"""Request intervals before the first probe."""
LANDING = 0.45
"""Part of a refusal's round trip that is waited for as well."""
GROWTH = 1.3
"""Each refused probe lengthens the pause by this factor."""
LONGEST_PAUSE = 6.0
"""Seconds between two probes, at most: what a window's first moments may cost."""
EARLY = 0.7
"""Share of a foretold pause after which the probes set in."""
EARLY_IN_WINDOW = 0.1
"""The same, where only the window is known and not what is left in it: others may use the account, and it slides."""
DENSE = 0.05
"""Part of a foretold pause that two probes are apart, at least."""
UNPROVEN = 4.0
"""First pauses that a forecast alone, before the server has refused a probe, may keep the gate shut."""
ROUND = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
"""Seconds that people choose for a window. Shorter ones are found as fast without."""


@attrs.define
class Gate:
    """Open; or shut until `opens_at`; or shut with one probe under way."""

    shut: bool = False
    opens_at: float = 0.0
    """When the next probe may start, in monotonic seconds."""
    episode: int = 0
    """How often the gate has reopened. A request belongs to the episode in which it was sent."""
    proven: bool = False
    """Whether the server itself said in this pause that it was shut: by a refused probe or a Retry-After."""
    reopened_at: float = 0.0
    """When the server last reopened: halfway between its last refusal of a probe and its admission of the next."""

    _pause: float = 0.0
    _probing: bool = False
    _refused_at: float = math.inf
    _landing: float = 0.0
    """Seconds for what was under way to land; a window began as long after its first request was sent."""
    _on_time: bool = False
    """Whether the next probe comes at a round time."""

    def delay(self, now: float) -> float:
        """Return the seconds until a probe may start; infinity while one is under way."""
        return math.inf if self._probing else max(0.0, self.opens_at - now)

    def close(self, now: float, *, interval: float, took: float, forecast: Forecast, retry_after: float | None) -> None:
        """Shut after a refusal.

        Args:
            now: monotonic seconds.
            interval: seconds between two requests at the present rate.
            took: seconds from the refused request to its refusal.
            forecast: what the rate controller foretells.
            retry_after: seconds that the server asked to wait.
        """
        self.shut, self.proven = True, retry_after is not None
        self._refused_at = math.inf
        self._landing = LANDING * took
        self._pause = min(FIRST_PAUSE * interval + self._landing, LONGEST_PAUSE)
        pause = max(self._pause, min(forecast.debt, UNPROVEN * self._pause))
        self.opens_at = now + (self._to_round_time(now, pause, forecast) if retry_after is None else retry_after)

    def extend(self, until: float) -> None:
        """Stay shut until then at least: a late refusal asked for it, and a Retry-After is never undercut."""
        self.opens_at = max(self.opens_at, until)

    def probe_sent(self) -> None:
        """Let nobody through until this probe has come back."""
        self._probing = True

    def probe_rate_limited(self, now: float, *, sent_at: float, forecast: Forecast, retry_after: float | None) -> None:
        """Stay shut for longer."""
        self._probing, self.proven = False, True
        self._refused_at = sent_at if retry_after is None else math.inf  # a Retry-After says when it reopens
        pause = min(self._pause * GROWTH, LONGEST_PAUSE)
        self._pause = min(max(pause, DENSE * (forecast.debt or forecast.rest)), LONGEST_PAUSE)
        foretold = EARLY * forecast.debt or EARLY_IN_WINDOW * forecast.rest
        wait = self._to_round_time(now, max(pause, foretold), forecast) if retry_after is None else retry_after
        self.extend(now + wait)

    def probe_lost(self, now: float) -> None:
        """Probe again after the same pause: the last one came back without a verdict."""
        self._probing = False
        self.extend(now + self._pause)

    def probe_admitted(self, now: float, *, sent_at: float) -> None:
        """Let everybody through; unless a late refusal has asked for more time meanwhile: then probe again after it."""
        self._probing = False
        if self.opens_at <= now:
            self.shut = False
            self.episode += 1
            closed_until = sent_at if self._on_time else min(self._refused_at, sent_at)
            self.reopened_at = (closed_until + sent_at) / 2.0

    def move(self, seconds: float) -> None:
        """Keep the same times on another clock, which is that much ahead of the one so far."""
        self.opens_at += seconds
        self.reopened_at += seconds
        self._refused_at += seconds

    def _to_round_time(self, now: float, pause: float, forecast: Forecast) -> float:
        """Return the pause, or the seconds to a round time that it would pass over."""
        began = forecast.began + self._landing
        times = () if forecast.window_known else (began + seconds - now for seconds in ROUND)
        found = next((seconds for seconds in times if 0.0 < seconds <= pause), None)
        self._on_time = found is not None
        return pause if found is None else found
