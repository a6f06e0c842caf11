"""Schedule callbacks in the event loop of another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import sniffio

CallSoon: TypeAlias = Callable[[Callable[[], object]], object]
"""Schedules a callback in an event loop, from any thread. Raises RuntimeError if the loop is closed."""


def running_loop() -> tuple[object, CallSoon]:
    """Return the running event loop, to be compared by identity, and the function that schedules callbacks in it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        if sniffio.current_async_library() != "trio":
            raise
        import trio  # noqa: PLC0415 - optional, and already imported here

        token = trio.lowlevel.current_trio_token()
        return token, token.run_sync_soon
    return loop, loop.call_soon_threadsafe


def runs_here(loop: object) -> bool:
    """Return True if `loop` is the running event loop. Coroutines of a closed loop are disposed of without one."""
    try:
        return running_loop()[0] is loop
    except RuntimeError:
        return False


def reach(call_soon: CallSoon, callback: Callable[[], object]) -> bool:
    """Schedule a callback in another event loop; return False if that loop is closed."""
    try:
        call_soon(callback)
    except RuntimeError:
        return False
    return True


def new_signal() -> tuple[Awaitable[object], Callable[[], object]]:
    """Return what a coroutine of the running event loop awaits once, and the function that wakes it, called in that loop.

    An event of anyio takes several times longer.
    """
    loop = running_loop()[0]
    if isinstance(loop, asyncio.AbstractEventLoop):
        future = loop.create_future()
        return future, partial(_finish, future)
    import trio  # noqa: PLC0415 - see `running_loop`

    event = trio.Event()
    return event.wait(), event.set


def _finish(future: asyncio.Future[object]) -> None:
    if not future.done():  # its coroutine may have been cancelled
        future.set_result(None)
