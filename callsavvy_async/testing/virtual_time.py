"""Virtual time for tests: waits pass at once, and in order.

Theory: a program that waits only for timers cannot distinguish a running clock from one that jumps to the next timer when the
event loop is idle. So a test of a minute's back-off takes no time, and its times are exact.

With anyio's pytest plugin:

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return virtual_time_backend(request.param)

Without it: ``run_in_virtual_time("asyncio", main)``. Sockets, threads and other processes stay in real time, so a timer that
runs beside them fires first.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Literal, ParamSpec, TypeVar

__all__ = ["VirtualTimeLoop", "run_in_virtual_time", "virtual_time_backend"]

P = ParamSpec("P")
R = TypeVar("R")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose clock starts at 0 and jumps to the next timer when the loop is idle."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was created."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the clock, for example to simulate a slow computation."""
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that advances the clock of its loop instead of sleeping."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # without timers, only another thread or a socket can wake the loop
            return super().select()
        ready = super().select(0)
        if not ready:
            self._loop.advance(max(timeout, 0.0))
        return ready


def virtual_time_backend(name: Literal["asyncio", "trio"]) -> tuple[str, dict[str, object]]:
    """Return the value of an ``anyio_backend`` fixture for virtual time.

    Args:
        name: the event loop; "trio" needs trio, and uses its ``MockClock``.
    """
    if name == "asyncio":
        return name, {"loop_factory": VirtualTimeLoop}
    from trio.testing import MockClock  # noqa: PLC0415 - optional

    return name, {"clock": MockClock(autojump_threshold=0)}


def run_in_virtual_time(
    name: Literal["asyncio", "trio"], main: Callable[P, Coroutine[object, object, R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Run an async function in a new event loop with virtual time.

    Args:
        name: the event loop; "trio" needs trio.
        main: the async function.
        *args: positional arguments of `main`.
        **kwargs: keyword arguments of `main`.
    """
    if name == "asyncio":
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(main(*args, **kwargs))
    import trio  # noqa: PLC0415 - optional
    from trio.testing import MockClock  # noqa: PLC0415

    return trio.run(partial(main, *args, **kwargs), clock=MockClock(autojump_threshold=0))
