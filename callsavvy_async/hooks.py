"""The events of a request, and the protocol of a hook."""

from __future__ import annotations

from callsavvy_async.transport.hooks import (
    AttemptFailed,
    Hook,
    HookEvent,
    Limited,
    RequestStarted,
    Settled,
    SharedLimitLost,
    SharedLimitRestored,
    Waiting,
)

__all__ = [
    "AttemptFailed",
    "Hook",
    "HookEvent",
    "Limited",
    "RequestStarted",
    "Settled",
    "SharedLimitLost",
    "SharedLimitRestored",
    "Waiting",
]
