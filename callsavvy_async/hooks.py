"""Hooks and the events that they get."""

from __future__ import annotations

from callsavvy_async.transport.hooks import (
    AttemptFailed,
    Hook,
    HookEvent,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
    SharedLimitLost,
    SharedLimitRestored,
)

__all__ = [
    "AttemptFailed",
    "Hook",
    "HookEvent",
    "RateLimited",
    "RequestSettled",
    "RequestStarted",
    "RequestWaiting",
    "SharedLimitLost",
    "SharedLimitRestored",
]
