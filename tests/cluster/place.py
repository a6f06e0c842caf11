"""Where a worker finds what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY

CAMPAIGN = "c"
IN_FLIGHT = 8
PATIENCE = 120.0


@attrs.frozen
class Place:
    """URLs, as the worker reaches them, and how it behaves."""

    journal: str
    queue: str
    service: str
    lease: float
    backend: str = "asyncio"
    clock_jumps: bool = False

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CALLSAVVY_BASE_URL": self.service,
            "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
            "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
        }

    def client(self) -> Callsavvy:
        return client(self.service)


def client(url: str) -> Callsavvy:
    return Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=url,
        allow_insecure=True,
        timeout=10,
        pacing=Unlimited(),
    )
