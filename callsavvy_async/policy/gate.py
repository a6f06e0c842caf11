"""The gate: after a refusal everybody waits, one request probes, and its success lets the others through.

Theory. Requests that were refused say the same thing, so one pause is enough for all of them. With a Retry-After the
pause is exact. Without, the server's budget is either refilled within a request or two (a bucket) or shut for the rest
of a window: the first probe is sent after 1.5 request intervals and some of the time a refusal takes, in which what was
under way has landed; each refused probe makes the next pause longer by a third, at most `LONGEST_PAUSE`. Where the rate
law foretells when the window reopens, the probes wait for most of that time at once; a prediction is not proof, so they
set in early and come densely.

A probe that ends without a verdict (cancelled, timed out, failed) proves nothing, and is sent again.
"""

from __future__ import annotations

import math

import attrs

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

    def delay(self, now: float) -> float:
        """Return the seconds until a probe may start; infinity while one is under way."""
        return math.inf if self._probing else max(0.0, self.opens_at - now)

    def close(self, now: float, *, interval: float, took: float, retry_after: float | None) -> None:
        """Shut after a refusal.

        Args:
            now: monotonic seconds.
            interval: seconds between two requests at the present rate.
            took: seconds from the refused request to its refusal.
            retry_after: seconds that the server asked to wait.
        """
        self.shut, self.proven = True, retry_after is not None
        self._refused_at = math.inf
        self._pause = min(FIRST_PAUSE * interval + LANDING * took, LONGEST_PAUSE)
        self.opens_at = now + (self._pause if retry_after is None else retry_after)

    def extend(self, until: float) -> None:
        """Stay shut until then at least: a late refusal asked for it, and a Retry-After is never undercut."""
        self.opens_at = max(self.opens_at, until)

    def probe_sent(self) -> None:
        """Let nobody through until this probe has come back."""
        self._probing = True

    def probe_refused(self, now: float, *, sent_at: float, foretold: float, retry_after: float | None) -> None:
        """Stay shut for longer. `foretold` is the rate law's guess of the pause, 0 if it has none."""
        self._probing, self.proven = False, True
        self._refused_at = sent_at if retry_after is None else math.inf  # a Retry-After says when it reopens
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)
        wait = max(self._pause, EARLY * foretold) if retry_after is None else retry_after
        self._pause = min(max(self._pause, 0.05 * foretold), LONGEST_PAUSE)
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
            self.reopened_at = (sent_at + min(self._refused_at, sent_at)) / 2.0
