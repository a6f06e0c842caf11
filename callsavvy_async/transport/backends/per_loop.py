"""Values that belong to one event loop, such as connections, and close with it."""

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
    """The value of one loop, and the generator that closes it."""

    value: T
    closer: AsyncGenerator[None, None]


_serial_numbers = itertools.count()


class PerLoop(Generic[T]):
    """One value per event loop, so that one client works in several ``asyncio.run()``.

    Args:
        make: Creates a value, in the loop.
        close: Closes a value, at the latest at the end of the loop. Shielded from cancellation.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        # Unique, because older anyio identifies run variables by name, and two clients must not share connections.
        name = f"callsavvy_{next(_serial_numbers)}"
        self._held: anyio.lowlevel.RunVar[_Held[T] | None] = anyio.lowlevel.RunVar(name)

    async def enter(self) -> T:
        """Return the value of the running loop, after creating it if necessary."""
        held = self._held.get(None)
        if held is None:
            value = self._make()
            held = _Held(value, self._close_with_loop(value))
            self._held.set(held)
            await anext(held.closer)
        return held.value

    async def aclose(self) -> None:
        """Close the value of the running loop."""
        held = self._held.get(None)
        if held is not None:
            self._held.set(None)
            await held.closer.aclose()

    async def _close_with_loop(self, value: T) -> AsyncGenerator[None, None]:
        # asyncio.run and trio.run finalise open async generators, so this closes the value at the latest.
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._close(value)
