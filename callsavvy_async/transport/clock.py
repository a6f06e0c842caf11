"""The running event loop's clock, cheaply: every call reads it several times.

Timers go by the loop's clock, so deadlines do too; in tests it is virtual. `anyio.current_time` says the same and costs
several times as much, since it first finds out which library is running.
"""

from __future__ import annotations

import asyncio

import anyio


def current_time() -> float:
    """Return the seconds of the running event loop's clock, whose zero is anywhere.

    Raises:
        RuntimeError: no event loop is running.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:  # trio, or none
        return anyio.current_time()
