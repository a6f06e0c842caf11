"""Types for custom pacers, and of `Callsavvy.pacing`."""

from __future__ import annotations

from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import Pacer, Snapshot
from callsavvy_async.policy.ratelimit_headers import Hints
from callsavvy_async.transport.rate_limiters import RateLimiters

__all__ = [
    "Feedback",
    "Hints",
    "Pacer",
    "Permit",
    "RateLimiters",
    "Signal",
    "Snapshot",
]
