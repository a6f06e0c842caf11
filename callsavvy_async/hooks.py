"""The events of a request, and the protocol of a hook."""

from __future__ import annotations

from callsavvy_async.transport.hooks import (
    AttemptFailed,
    Hook,
    HookEvent,
    Limited,
    LimitFound,
    LimitLost,
    RequestStarted,
    Settled,
    Waiting,
)

__all__ = [
    "AttemptFailed",
    "Hook",
    "HookEvent",
    "LimitFound",
    "LimitLost",
    "Limited",
    "RequestStarted",
    "Settled",
    "Waiting",
]
