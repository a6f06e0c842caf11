"""The heartbeat of a run: it writes that it is alive, and what it does, and settles what dead runs left.

It beats whatever the run waits for: the limit, a window, an answer, an outage. Who could not beat for a while cannot judge
others, either: their heartbeats may be as old for the same reason. So it waits for one lease before it does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import anyio
import attrs

from callsavvy_async.campaigns import epochs
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.shift import Shift
from callsavvy_async.campaigns.writer import Writer

_BEATS_IN_A_LEASE = 3
_WITHOUT_LEASE = 30.0
"""Seconds of a lease that nobody waits for."""


@attrs.define
class Heart:
    """Beats until it is stopped, also while its run is being cancelled and waits for answers."""

    writer: Writer
    shift: Shift
    on_lost: Callable[[], object]
    """Called when the run was taken for dead."""
    _scope: anyio.CancelScope = attrs.field(factory=lambda: anyio.CancelScope(shield=True))
    _settled: int = 0

    def stop(self) -> None:
        """Beat no more."""
        self._scope.cancel()

    async def beat(self) -> None:
        """Beat until it is stopped, or the run was taken for dead."""
        lease = self.writer.database.lease or _WITHOUT_LEASE
        judges_from = last = anyio.current_time()
        with self._scope:
            while True:
                await anyio.sleep(lease / _BEATS_IN_A_LEASE)
                now = anyio.current_time()
                if now - last > lease:
                    judges_from = now + lease
                with suppress(JournalError):  # whoever writes next waits for it, or raises it
                    if not await self._beat_once(now - last):
                        self.on_lost()
                        return
                    last = now
                    if now >= judges_from:
                        await self.writer.run(epochs.take_over)

    async def is_lost(self) -> bool:
        """Whether the run was taken for dead."""
        return not await self._beat_once(0)

    async def _beat_once(self, seconds: float) -> bool:
        epoch, settled = self.shift.epoch, self.shift.settled
        rate = (settled - self._settled) / seconds if seconds else 0.0
        status = {"settled": settled, "held": len(self.shift.held), "rate": round(rate, 1)}
        alive = await self.writer.run(lambda cursor: epochs.beat(cursor, epoch, status))
        self._settled = settled
        return alive
