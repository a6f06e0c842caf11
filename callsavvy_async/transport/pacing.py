"""The shell around a `Pacer`: requests wait here in the order in which they came, interactive ones before bulk.

Only the first in the queue asks the pacer and sleeps; the others wait for their turn to be first. A cancelled waiter
leaves the queue in O(1), and whoever comes to be first is woken.

Every event loop starts its clock where it likes, trio at random. So the pacer is given the running loop's time, moved
onto the monotonic clock that all loops share: what it learned in one loop holds in the next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import anyio
from anyio.lowlevel import RunVar

from callsavvy_async.policy.feedback import Feedback, Permit
from callsavvy_async.policy.pacer import Pacer, Snapshot
from callsavvy_async.transport.turns import Place, Turns

_offset: RunVar[float] = RunVar("callsavvy_clock_offset")


def _clock_offset() -> float:
    """Seconds to add to a time of the running loop; the same for as long as the loop runs."""
    offset = _offset.get(None)
    if offset is None:
        offset = time.monotonic() - anyio.current_time()
        _offset.set(offset)
    return offset


def _now() -> float:
    """Return the shared monotonic time; outside of event loops too, where a state is saved and restored."""
    try:
        return anyio.current_time() + _clock_offset()
    except RuntimeError:  # no event loop is running
        return time.monotonic()


class WaitTooLongError(Exception):
    """The wait would pass the deadline. `seconds` is the wait that is known of, None when there is no telling."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Pacing:
    """Admits requests one after the other, as the pacer allows.

    Args:
        pacer: the arithmetic; it may be shared by several event loops one after the other, not at once.
    """

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._turns = Turns()

    def __repr__(self) -> str:
        now = self.snapshot()
        rate = "no rate" if now.rate is None else f"{now.rate:.3g}/s"
        held = f"{rate} ({now.why}), {now.in_flight} of {now.allowed_in_flight} in flight, {self.waiting} waiting"
        return f"<{type(self._pacer).__name__}: {held}>"

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._turns)

    def snapshot(self) -> Snapshot:
        """Return what is known of the limit, and what holds requests back now."""
        return self._pacer.snapshot(_now())

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from what an earlier process had learned.

        Args:
            learned: `attrs.asdict` of its snapshot, JSON and back; what is missing or cannot be true is learned again.
        """
        self._pacer.restore(learned)

    async def acquire(
        self, ends_at: float, on_wait: Callable[[float | None, str], None], *, bulk: bool = False
    ) -> Permit:
        """Wait until one more request may start.

        Args:
            ends_at: the call's deadline on the event loop's clock; inf for none.
            on_wait: called once, with the seconds or None, and with the reason, when it comes to waiting.
            bulk: whether interactive requests go first.

        Raises:
            WaitTooLongError: as soon as it is sure that the turn comes too late.
        """
        offset = _clock_offset()
        now, ends_at = anyio.current_time() + offset, ends_at + offset
        delay = self._pacer.delay(now)
        if not self._turns and delay <= 0:
            return self._pacer.sent(now)
        self._refuse_if_late(now, delay, ends_at)
        on_wait(delay if 0 < delay < math.inf else None, self._pacer.snapshot(now).why)
        place = self._turns.join(bulk=bulk)
        try:
            await self._wait_for_turn(place, ends_at, offset)
            self._turns.taken(place)
            return self._pacer.sent(anyio.current_time() + offset)
        finally:
            self._turns.leave(place)
            self._turns.wake_first()

    def done(self, permit: Permit, feedback: Feedback) -> None:
        """Give back what `acquire` gave, with what was learned."""
        self._pacer.done(anyio.current_time() + _clock_offset(), permit, feedback)
        self._turns.wake_first()

    async def _wait_for_turn(self, place: Place, ends_at: float, offset: float) -> None:
        while True:
            now = anyio.current_time() + offset
            delay = self._pacer.delay(now) if self._turns.first is place else math.inf
            if delay <= 0:
                return
            self._refuse_if_late(now, delay, ends_at)
            with anyio.move_on_after(min(delay, ends_at - now)):
                await place.woken.wait()
                place.woken = anyio.Event()

    def _refuse_if_late(self, now: float, delay: float, ends_at: float) -> None:
        if now >= ends_at or (delay < math.inf and now + delay > ends_at):
            raise WaitTooLongError(delay if delay < math.inf else None)
