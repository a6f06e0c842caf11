"""The time by which requests wait: a system clock in real time, that of the event loop where time is virtual.

Theory. Latencies are differences of two readings, so the clock must be finer than any of them. An event loop's own need not
be: uvloop's counts whole milliseconds and stands still while callbacks run, and `time.monotonic` moves in steps of 16 ms on
Windows before Python 3.13. So every loop that runs in real time is timed by `time.perf_counter`, which all loops share: what
a pacer learned in one loop holds in the next. A loop in virtual time runs at a pace of its own, and its clock is moved onto
the shared one. A request reads the time several times, and to find out which loop is running costs CPython 3.11 a system call;
so a request finds its clock once, and keeps it.
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
"""Seconds by which timers are set: on asyncio and trio, where a clock of floats need not move by less; and on libuv."""

_offsets: WeakKeyDictionary[AbstractEventLoop, float] = WeakKeyDictionary()
_offset: RunVar[float] = RunVar("callsavvy_clock_offset")


def running_clock() -> Clock:
    """Return the clock of the running event loop; the system's where none is running, and a state is saved or restored."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return _clock_without_asyncio()
    kind = type(loop)
    if kind.time is BaseEventLoop.time or _is_compiled(kind):
        return time.perf_counter
    offset = _offsets.get(loop)
    if offset is None:  # the same for as long as the loop lives
        offset = _offsets[loop] = time.perf_counter() - loop.time()
    return lambda: loop.time() + offset


def current_time() -> float:
    """Return the seconds on the shared clock."""
    return running_clock()()


def timer_seconds(seconds: float) -> float:
    """Round a wait up to one that a timer of the running event loop can keep.

    libuv rounds it to whole milliseconds: the rest would be spent in waking up too early, again and again.
    """
    try:
        tick = _COARSE if _is_compiled(type(get_running_loop())) else _FINE
    except RuntimeError:
        tick = _FINE
    if tick == _FINE or seconds == math.inf:
        return max(seconds, tick)
    return max(math.ceil(seconds / tick), 1) * tick


def _is_compiled(kind: type[AbstractEventLoop]) -> bool:
    """Whether a loop's clock is not written in Python, as uvloop's: virtual time always is."""
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
