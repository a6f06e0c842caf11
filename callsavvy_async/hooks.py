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
    event_fields,
)
from callsavvy_async.transport.request_context import BulkChunk

__all__ = [
    "AttemptFailed",
    "BulkChunk",
    "Hook",
    "HookEvent",
    "RateLimited",
    "RequestSettled",
    "RequestStarted",
    "RequestWaiting",
    "SharedLimitLost",
    "SharedLimitRestored",
    "event_fields",
]
