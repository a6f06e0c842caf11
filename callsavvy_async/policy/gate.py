"""The gate: after a 429 all requests wait, one request probes, and its success lets the others through.

Theory. 429s that arrive together mean the same, so one pause serves for all of them.

1.  The pause. Retry-After gives its exact length. Without it, the server's budget is either refilled within a request or
    two (a token bucket) or empty for the rest of a window. The first probe starts after 1.5 request intervals plus part
    of a round trip, in which the requests in flight complete. Each 429 for a probe lengthens the next pause by a third,
    up to `LONGEST_PAUSE`.
2.  A forecast. If the rate controller predicts when the server reopens, the probes wait for most of that time. They begin
    early and come often, because a prediction is not a proof.
3.  Round times. While the window is unknown, the gate assumes that its length is a round number of seconds. A pause that
    would pass a round time since the last reopening ends there.
4.  A probe without a verdict (cancelled, timed out, failed) proves nothing and is sent again.
"""

from __future__ import annotations

import math

import attrs

FIRST_PAUSE = 1.5
"""Request intervals before the first probe."""
LANDING = 0.45
"""Part of a 429's round trip that the first pause includes."""
GROWTH = 1.3
"""Factor by which each 429 for a probe lengthens the pause."""
LONGEST_PAUSE = 6.0
"""Maximum seconds between two probes, and so the most that the start of a window may cost."""
EARLY = 0.7
"""Share of a predicted pause after which the probes begin."""
EARLY_IN_WINDOW = 0.1
"""The same share if only the window is known, and not its rest: others may use the account, and the window may slide."""
DENSE = 0.05
"""Minimum time between two probes, as a part of the predicted pause."""
UNPROVEN = 4.0
"""Maximum length of a pause that rests on a forecast alone, before a 429 for a probe confirms it; in first pauses."""
ROUND = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
"""Usual seconds of a window. The probes find a shorter one as fast without this list."""


@attrs.frozen
class Forecast:
    """Prediction of when a server that answers 429 admits again.

    Attributes:
        debt: Seconds until the estimate catches up with the admitted requests; 0 if this predicts nothing.
        rest: Seconds left of the known window; 0 if it is over or unknown.
        began: Earliest start of the current budget, in monotonic seconds.
        window_known: True if the length of the window is known.
    """

    debt: float = 0.0
    rest: float = 0.0
    began: float = 0.0
    window_known: bool = True


@attrs.define
class Gate:
    """Open; or shut until `opens_at`; or shut with one probe in flight."""

    shut: bool = False
    opens_at: float = 0.0
    """Earliest start of the next probe, in monotonic seconds."""
    episode: int = 0
    """Number of times the gate has reopened. A request belongs to the episode in which it was sent."""
    proven: bool = False
    """True if the server confirmed this pause, with a 429 for a probe or a Retry-After."""
    reopened_at: float = 0.0
    """Estimated reopening of the server: halfway between the last 429 for a probe and the admission of the next probe."""

    _pause: float = 0.0
    _probing: bool = False
    _rate_limited_at: float = math.inf
    _landing: float = 0.0
    """Seconds for the requests in flight to complete. A window begins this long after its first request was sent."""
    _on_time: bool = False
    """True if the next probe is sent at a round time."""

    def delay(self, now: float) -> float:
        """Return the seconds until a probe may start; infinity while one is in flight."""
        return math.inf if self._probing else max(0.0, self.opens_at - now)

    def close(self, now: float, *, interval: float, took: float, forecast: Forecast, retry_after: float | None) -> None:
        """Shut after a 429.

        Args:
            now: Monotonic seconds.
            interval: Seconds between two requests at the present rate.
            took: Seconds from the request to its 429.
            forecast: Prediction of the rate controller.
            retry_after: Seconds of the response's Retry-After.
        """
        self.shut, self.proven = True, retry_after is not None
        self._rate_limited_at = math.inf
        self._landing = LANDING * took
        self._pause = min(FIRST_PAUSE * interval + self._landing, LONGEST_PAUSE)
        pause = max(self._pause, min(forecast.debt, UNPROVEN * self._pause))
        self.opens_at = now + (self._to_round_time(now, pause, forecast) if retry_after is None else retry_after)

    def extend(self, until: float) -> None:
        """Stay shut at least until `until`, for a late 429 with a Retry-After."""
        self.opens_at = max(self.opens_at, until)

    def probe_sent(self) -> None:
        """Hold back all requests until this probe ends."""
        self._probing = True

    def probe_rate_limited(self, now: float, *, sent_at: float, forecast: Forecast, retry_after: float | None) -> None:
        """Stay shut for longer."""
        self._probing, self.proven = False, True
        self._rate_limited_at = sent_at if retry_after is None else math.inf  # Retry-After names the reopening
        pause = min(self._pause * GROWTH, LONGEST_PAUSE)
        self._pause = min(max(pause, DENSE * (forecast.debt or forecast.rest)), LONGEST_PAUSE)
        predicted = EARLY * forecast.debt or EARLY_IN_WINDOW * forecast.rest
        wait = self._to_round_time(now, max(pause, predicted), forecast) if retry_after is None else retry_after
        self.extend(now + wait)

    def probe_lost(self, now: float) -> None:
        """Probe again after the same pause: the last probe ended without a verdict."""
        self._probing = False
        self.extend(now + self._pause)

    def probe_admitted(self, now: float, *, sent_at: float) -> None:
        """Let all requests through, or probe again later if a late 429 has extended the pause meanwhile."""
        self._probing = False
        if self.opens_at <= now:
            self.shut = False
            self.episode += 1
            closed_until = sent_at if self._on_time else min(self._rate_limited_at, sent_at)
            self.reopened_at = (closed_until + sent_at) / 2.0

    def move(self, seconds: float) -> None:
        """Convert all times to a clock that is `seconds` ahead of the current one."""
        self.opens_at += seconds
        self.reopened_at += seconds
        self._rate_limited_at += seconds

    def _to_round_time(self, now: float, pause: float, forecast: Forecast) -> float:
        """Return the pause, shortened to the first round time that it would pass."""
        began = forecast.began + self._landing
        times = () if forecast.window_known else (began + seconds - now for seconds in ROUND)
        found = next((seconds for seconds in times if 0.0 < seconds <= pause), None)
        self._on_time = found is not None
        return pause if found is None else found
