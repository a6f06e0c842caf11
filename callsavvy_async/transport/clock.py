"""The shared clock: `time.perf_counter` in real time, the event loop's clock where time is virtual.

Theory. A latency is the difference of two readings, so the clock must be finer than any latency. An event loop's clock may
be too coarse: uvloop's counts whole milliseconds and stops while callbacks run, and `time.monotonic` moves in steps of
16 ms on Windows before Python 3.13. So `time.perf_counter` times all loops that run in real time. All loops share it, and
a pacer's learned state from one loop is valid in the next. The clock of a loop in virtual time gets an offset to it.
Finding the running loop costs a system call on CPython 3.11, so each request looks up its clock only once.
"""

from __future__ import annotations

import math
import time
from asyncio import AbstractEventLoop, BaseEventLoop, get_running_loop
from collections.abc import Callable
from types import FunctionType
from typing import TypeAlias
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import RunVar

Clock: TypeAlias = Callable[[], float]
"""Returns seconds on the shared clock."""

_FINE, _COARSE = 1e-6, 1e-3
"""Resolution of timers in seconds: on asyncio and trio, and on libuv."""

_offsets: WeakKeyDictionary[AbstractEventLoop, float] = WeakKeyDictionary()
_offset: RunVar[float] = RunVar("callsavvy_clock_offset")


def running_clock() -> Clock:
    """Return the clock of the running event loop; `time.perf_counter` without one."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return _clock_without_asyncio()
    kind = type(loop)
    if kind.time is BaseEventLoop.time or _is_compiled(kind):
        return time.perf_counter
    offset = _offsets.get(loop)
    if offset is None:  # constant for a loop
        offset = _offsets[loop] = time.perf_counter() - loop.time()
    return lambda: loop.time() + offset


def current_time() -> float:
    """Return the seconds on the shared clock."""
    return running_clock()()


def timer_seconds(seconds: float) -> float:
    """Round a wait up to the resolution of the running event loop's timers.

    libuv truncates to whole milliseconds, so an exact wait would wake up too early, again and again.
    """
    try:
        tick = _COARSE if _is_compiled(type(get_running_loop())) else _FINE
    except RuntimeError:
        tick = _FINE
    if tick == _FINE or seconds == math.inf:
        return max(seconds, tick)
    return max(math.ceil(seconds / tick), 1) * tick


def _is_compiled(kind: type[AbstractEventLoop]) -> bool:
    """Return True for a loop whose clock is compiled, such as uvloop's. Virtual clocks are written in Python."""
    return not isinstance(kind.time, FunctionType)


def _clock_without_asyncio() -> Clock:
    try:
        current = anyio.current_time()
    except RuntimeError:  # no event loop is running
        return time.perf_counter
    offset = _offset.get(None)
    if offset is None:
        offset = time.perf_counter() - current
        _offset.set(offset)
    return lambda: anyio.current_time() + offset
