"""The time by which calls wait: that of the running event loop, moved onto the monotonic clock that all loops share.

Every event loop starts its clock where it likes, trio at random; a virtual loop's runs at a pace of its own. On the
shared clock what a pacer learned in one loop holds in the next. A call reads the time several times, and to find out
which loop is running costs CPython 3.11 a system call; so a call finds its clock once, and keeps it. asyncio's own loops
run by `time.monotonic`, which is then the whole clock.
"""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, BaseEventLoop, get_running_loop
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import RunVar

Clock: TypeAlias = Callable[[], float]
"""Returns seconds on the shared clock."""

_offsets: WeakKeyDictionary[AbstractEventLoop, float] = WeakKeyDictionary()
_offset: RunVar[float] = RunVar("callsavvy_clock_offset")


def running_clock() -> Clock:
    """Return the clock of the running event loop; the system's where none is running, and a state is saved or restored."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return _clock_without_asyncio()
    if type(loop).time is BaseEventLoop.time:
        return time.monotonic
    offset = _offsets.get(loop)
    if offset is None:  # the same for as long as the loop lives
        offset = _offsets[loop] = time.monotonic() - loop.time()
    return lambda: loop.time() + offset


def current_time() -> float:
    """Return the seconds on the shared clock."""
    return running_clock()()


def _clock_without_asyncio() -> Clock:
    try:
        current = anyio.current_time()
    except RuntimeError:  # no event loop is running
        return time.monotonic
    offset = _offset.get(None)
    if offset is None:
        offset = time.monotonic() - current
        _offset.set(offset)
    return lambda: anyio.current_time() + offset
