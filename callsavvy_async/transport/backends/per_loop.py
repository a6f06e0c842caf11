"""What belongs to one event loop: connections cannot outlive it, so each loop has its own and closes them when it ends."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
import attrs

T = TypeVar("T")


@attrs.define
class _Held(Generic[T]):
    """A loop's own, with what closes it."""

    value: T
    closer: AsyncGenerator[None, None]


_serial_numbers = itertools.count()


class PerLoop(Generic[T]):
    """One value for each event loop, so that one client serves several ``asyncio.run()``.

    Args:
        make: makes a value; it is called in the loop.
        close: closes it, cancelled or not: when asked to, and at the latest when the loop ends.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        # Older anyio tells run variables apart by their names: two clients must never share connections.
        name = f"callsavvy_{next(_serial_numbers)}"
        self._held: anyio.lowlevel.RunVar[_Held[T] | None] = anyio.lowlevel.RunVar(name)

    async def enter(self) -> T:
        """Return the value of the running loop; made, if there is none."""
        held = self._held.get(None)
        if held is None:
            value = self._make()
            held = _Held(value, self._close_with_loop(value))
            self._held.set(held)
            await anext(held.closer)
        return held.value

    async def aclose(self) -> None:
        """Close the value of the running loop, if there is one."""
        held = self._held.get(None)
        if held is not None:
            self._held.set(None)
            await held.closer.aclose()

    async def _close_with_loop(self, value: T) -> AsyncGenerator[None, None]:
        # asyncio.run and trio.run finalise the async generators that are left over: what nobody closed is closed here.
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._close(value)
