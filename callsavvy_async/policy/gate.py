"""The gate: after a refusal everybody waits, one request probes, and its success lets the others through.

Theory. Requests that were refused say the same thing, so one pause is enough for all of them. With a Retry-After the
pause is exact. Without, the server's budget is either refilled within a request or two (a bucket) or shut for the rest
of a window: the first probe is sent after 1.5 request intervals, and each refused probe makes the next pause longer by
a third, at most `LONGEST_PAUSE`. Where the rate law foretells when the window reopens, the probes wait for most of
that time at once; a prediction is not proof, so they set in early and come densely.

A probe that ends without a verdict (cancelled, timed out, failed) proves nothing, and is sent again.
"""

from __future__ import annotations

import math

import attrs

FIRST_PAUSE = 1.5
"""Request intervals before the first probe."""
GROWTH = 1.3
"""Each refused probe lengthens the pause by this factor."""
LONGEST_PAUSE = 6.0
"""Seconds between two probes, at most: what a window's first moments may cost."""
EARLY = 0.7
"""Share of a foretold pause after which the probes set in."""


@attrs.define
class Gate:
    """Open; or shut until `opens_at`; or shut with one probe under way."""

    shut: bool = False
    opens_at: float = 0.0
    """When the next probe may start, in monotonic seconds."""
    episode: int = 0
    """How often the gate has reopened. A request belongs to the episode in which it was sent."""

    _pause: float = 0.0
    _probing: bool = False

    def delay(self, now: float) -> float:
        """Return the seconds until a probe may start; infinity while one is under way."""
        return math.inf if self._probing else max(0.0, self.opens_at - now)

    def close(self, now: float, *, interval: float, retry_after: float | None) -> None:
        """Shut after a refusal; `interval` is the time between two requests at the present rate."""
        self.shut = True
        self._pause = min(FIRST_PAUSE * interval, LONGEST_PAUSE)
        self.opens_at = now + (self._pause if retry_after is None else retry_after)

    def extend(self, until: float) -> None:
        """Stay shut until then at least: a late refusal asked for it, and a Retry-After is never undercut."""
        self.opens_at = max(self.opens_at, until)

    def probe_sent(self) -> None:
        """Let nobody through until this probe has come back."""
        self._probing = True

    def probe_refused(self, now: float, *, foretold: float, retry_after: float | None) -> None:
        """Stay shut for longer. `foretold` is the rate law's guess of the pause, 0 if it has none."""
        self._probing = False
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)
        wait = max(self._pause, EARLY * foretold) if retry_after is None else retry_after
        self._pause = min(max(self._pause, 0.05 * foretold), LONGEST_PAUSE)
        self.extend(now + wait)

    def probe_lost(self, now: float) -> None:
        """Probe again after the same pause: the last one came back without a verdict."""
        self._probing = False
        self.extend(now + self._pause)

    def probe_admitted(self, now: float) -> None:
        """Let everybody through; unless a late refusal has asked for more time meanwhile: then probe again after it."""
        self._probing = False
        if self.opens_at <= now:
            self.shut = False
            self.episode += 1
