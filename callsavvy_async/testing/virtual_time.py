"""Virtual time: waits, back-off and deadlines pass at once, and in their true order.

Theory: a program that only waits for its own timers cannot tell a clock that runs from one that jumps to the next timer
as soon as nothing else is left to do. So a test of a minute's back-off takes no time, and its times are exact.

With anyio's pytest plugin:

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return virtual_time_backend(request.param)

Without: ``run_in_virtual_time("asyncio", main)``. Only timers are virtual: what waits for a socket,
a thread or another process beside a timer finds that the timer has fired first.
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
    """An asyncio event loop whose clock starts at 0 and jumps to the next timer whenever the loop is idle."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass for code that does not wait, such as a slow computation."""
        self._now += seconds


class _JumpingSelector(selectors.DefaultSelector):
    """Lets a loop's clock jump where the loop would sleep."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer: only another thread or a socket can wake the loop
            return super().select()
        ready = super().select(0)
        if not ready:
            self._loop.advance(max(timeout, 0.0))
        return ready


def virtual_time_backend(name: Literal["asyncio", "trio"]) -> tuple[str, dict[str, object]]:
    """Return what an ``anyio_backend`` fixture returns, for a run of its own in virtual time.

    Args:
        name: the event loop; "trio" needs trio, whose own ``MockClock`` does the same.
    """
    if name == "asyncio":
        return name, {"loop_factory": VirtualTimeLoop}
    from trio.testing import MockClock  # noqa: PLC0415 - only who tests with trio has it

    return name, {"clock": MockClock(autojump_threshold=0)}


def run_in_virtual_time(
    name: Literal["asyncio", "trio"], main: Callable[P, Coroutine[object, object, R]], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Run an async function to its end, in an event loop of its own.

    Args:
        name: the event loop; "trio" needs trio.
        main: what to run.
        *args: of `main`.
        **kwargs: of `main`.
    """
    if name == "asyncio":
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(main(*args, **kwargs))
    import trio  # noqa: PLC0415 - only who tests with trio has it
    from trio.testing import MockClock  # noqa: PLC0415

    return trio.run(partial(main, *args, **kwargs), clock=MockClock(autojump_threshold=0))
