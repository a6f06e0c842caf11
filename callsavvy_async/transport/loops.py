"""Call something in another event loop, that of another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import sniffio

CallSoon: TypeAlias = Callable[[Callable[[], object]], object]
"""Has an event loop call something soon, from any thread. Raises RuntimeError when the loop is no more."""


def running_loop() -> tuple[object, CallSoon]:
    """Return what the running event loop is, to be compared by identity, and how others reach it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        if sniffio.current_async_library() != "trio":
            raise
        import trio  # noqa: PLC0415 - only when it runs already

        token = trio.lowlevel.current_trio_token()
        return token, token.run_sync_soon
    return loop, loop.call_soon_threadsafe


def reach(call_soon: CallSoon, callback: Callable[[], object]) -> bool:
    """Have another event loop call something; return whether it still runs."""
    try:
        call_soon(callback)
    except RuntimeError:
        return False
    return True
