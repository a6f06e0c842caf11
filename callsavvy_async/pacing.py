"""Types for custom pacers, and of `Callsavvy.pacing`."""

from __future__ import annotations

from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import Pacer, PacerSnapshot
from callsavvy_async.policy.ratelimit_headers import RateLimitHints
from callsavvy_async.transport.rate_limiters import RateLimiters

__all__ = [
    "Feedback",
    "Pacer",
    "PacerSnapshot",
    "Permit",
    "RateLimitHints",
    "RateLimiters",
    "Signal",
]
