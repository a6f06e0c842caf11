"""The contestants. Only names: each contestant is imported in a separate process, from its virtual environment."""

from __future__ import annotations

import importlib
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from benchmarks.speed.target import Call, Target


class Contestant(NamedTuple):
    """One way to send an SMS."""

    name: str
    opener: str
    """Module and function, and after a blank the backend."""
    kind: str
    """``ours``, ``stack`` or ``peer``."""
    most: int = 1024
    """Maximum number of requests in flight."""
    only_tls: bool = False
    distribution: str = ""
    """Module whose import is measured. Empty for none."""

    @property
    def ours(self) -> bool:
        """True if the contestant runs in this virtual environment, not in that of the others."""
        return self.kind == "ours"

    def open(self, target: Target) -> AbstractAsyncContextManager[Call]:
        """Open a client that sends to a target."""
        name, *arguments = self.opener.split()
        module, _, function = name.partition(":")
        opener = getattr(importlib.import_module(f"benchmarks.speed.{module}"), function)
        opened: AbstractAsyncContextManager[Call] = opener(target, *arguments)
        return opened


DEFAULT = "callsavvy"
HTTPX_BACKEND = "callsavvy (httpx)"
AIOHTTP_BACKEND = "callsavvy (aiohttp)"
BORROWED = "callsavvy (user's httpx client)"
PACED = "callsavvy (default pacing)"
RAW_NATIVE = "native, no SDK above"
NO_IO = "callsavvy, no I/O"

ALL = (
    Contestant(DEFAULT, "ours:sdk auto", "ours"),
    Contestant(PACED, "ours:paced", "ours", most=1),
    Contestant(HTTPX_BACKEND, "ours:sdk httpx", "ours"),
    Contestant(AIOHTTP_BACKEND, "ours:sdk aiohttp", "ours"),
    Contestant(BORROWED, "ours:borrowed", "ours"),
    Contestant(RAW_NATIVE, "ours:alone native", "ours"),
    Contestant(NO_IO, "ours:no_io", "ours", most=1),
    Contestant("httpx", "stacks:httpx", "stack", distribution="httpx"),
    Contestant("httpx2", "stacks:httpx2", "stack", distribution="httpx2"),
    Contestant("aiohttp", "stacks:aiohttp", "stack", distribution="aiohttp"),
    Contestant("pyreqwest", "stacks:pyreqwest", "stack", distribution="pyreqwest.client"),
    Contestant("telnyx", "peers:telnyx", "peer", distribution="telnyx"),
    Contestant("telnyx + aiohttp", "peers:telnyx_aiohttp", "peer"),
    Contestant("twilio async", "peers:twilio", "peer", distribution="twilio.rest"),
    Contestant("plivo (blocking)", "peers:plivo", "peer", most=1, distribution="plivo"),
    Contestant("sinch (blocking)", "peers:sinch", "peer", most=1, distribution="sinch"),
    Contestant("vonage (blocking)", "peers:vonage", "peer", most=1, only_tls=True, distribution="vonage"),
)
BY_NAME = {contestant.name: contestant for contestant in ALL}
