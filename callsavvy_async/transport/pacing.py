"""The shell around a `Pacer`: requests wait here in the order in which they came.

Only the first in the queue asks the pacer and sleeps; the others wait for their turn to be first. A cancelled waiter
leaves the queue in O(1), and whoever comes to be first is woken.

Every event loop starts its clock where it likes, trio at random. So the pacer is given the running loop's time, moved
onto the monotonic clock that all loops share: what it learned in one loop holds in the next.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import anyio
from anyio.lowlevel import RunVar

from callsavvy_async.policy.pacer import Pacer, Signal, Ticket

_offset: RunVar[float] = RunVar("callsavvy_clock_offset")


def _clock_offset() -> float:
    """Seconds to add to a time of the running loop; the same for as long as the loop runs."""
    offset = _offset.get(None)
    if offset is None:
        offset = time.monotonic() - anyio.current_time()
        _offset.set(offset)
    return offset


class WaitTooLongError(Exception):
    """The wait would pass the deadline. `seconds` is the wait that is known of, None when there is no telling."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Pacing:
    """Admit requests one after the other, as the pacer allows.

    Args:
        pacer: the arithmetic; it may be shared by several event loops one after the other, not at once.
    """

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._queue: OrderedDict[object, anyio.Event] = OrderedDict()

    def __repr__(self) -> str:
        return f"{self._pacer!r}, {len(self._queue)} waiting"

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._queue)

    async def acquire(self, ends_at: float, on_wait: Callable[[float | None], None]) -> Ticket:
        """Wait until one more request may start.

        Args:
            ends_at: the call's deadline on the event loop's clock; inf for none.
            on_wait: called once, with the seconds or None, when it comes to waiting.

        Raises:
            WaitTooLongError: as soon as it is sure that the turn comes too late.
        """
        offset = _clock_offset()
        now, ends_at = anyio.current_time() + offset, ends_at + offset
        delay = self._pacer.delay(now)
        if not self._queue and delay <= 0:
            return self._pacer.sent(now)
        self._refuse_if_late(now, delay, ends_at)
        on_wait(delay if 0 < delay < math.inf else None)
        place = object()
        self._queue[place] = anyio.Event()
        try:
            await self._wait_for_turn(place, ends_at, offset)
            return self._pacer.sent(anyio.current_time() + offset)
        finally:
            del self._queue[place]
            self._wake_first()

    def done(self, ticket: Ticket, signal: Signal, retry_after: float | None = None) -> float:
        """Give back what `acquire` gave, with what was learned. Returns for how long all requests now pause."""
        pause = self._pacer.done(anyio.current_time() + _clock_offset(), ticket, signal, retry_after)
        self._wake_first()
        return pause

    async def _wait_for_turn(self, place: object, ends_at: float, offset: float) -> None:
        while True:
            now = anyio.current_time() + offset
            first = next(iter(self._queue)) is place
            delay = self._pacer.delay(now) if first else math.inf
            if delay <= 0:
                return
            self._refuse_if_late(now, delay, ends_at)
            with anyio.move_on_after(min(delay, ends_at - now)):
                await self._queue[place].wait()
                self._queue[place] = anyio.Event()

    def _refuse_if_late(self, now: float, delay: float, ends_at: float) -> None:
        if now >= ends_at or (delay < math.inf and now + delay > ends_at):
            raise WaitTooLongError(delay if delay < math.inf else None)

    def _wake_first(self) -> None:
        for event in self._queue.values():
            event.set()
            break
