"""The time by which calls wait: that of the running event loop, moved onto the monotonic clock that all loops share.

Every event loop starts its clock where it likes, trio at random; a virtual loop's runs at a pace of its own. On the
shared clock what a pacer learned in one loop holds in the next. It is read several times in each call, so asyncio's
loop is asked directly: anyio would take twice as many function calls.
"""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from weakref import WeakKeyDictionary, ref

import anyio
from anyio.lowlevel import RunVar

_offsets: WeakKeyDictionary[AbstractEventLoop, float] = WeakKeyDictionary()
_offset: RunVar[float] = RunVar("callsavvy_clock_offset")
_latest: tuple[Callable[[], AbstractEventLoop | None], float] = (lambda: None, 0.0)


def current_time() -> float:
    """Return the seconds on the shared clock; outside of event loops too, where a state is saved and restored."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return _now_without_asyncio()
    running, offset = _latest
    if running() is not loop:
        offset = _offset_of(loop)
    return loop.time() + offset


def _offset_of(loop: AbstractEventLoop) -> float:
    """Return what is to be added to a loop's time; the same for as long as the loop lives."""
    global _latest  # noqa: PLW0603 - swapped as a whole: threads with loops of their own always see a pair that fits
    offset = _offsets.setdefault(loop, time.monotonic() - loop.time())
    _latest = ref(loop), offset
    return offset


def _now_without_asyncio() -> float:
    try:
        current = anyio.current_time()
    except RuntimeError:  # no event loop is running
        return time.monotonic()
    offset = _offset.get(None)
    if offset is None:
        offset = time.monotonic() - current
        _offset.set(offset)
    return current + offset
