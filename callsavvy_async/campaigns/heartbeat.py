"""The heartbeat of a run: it writes that it is alive, and what it does, and settles what dead runs left.

It beats whatever the run waits for: the limit, a window, an answer, an outage. Who missed a beat cannot judge others: an
outage made their heartbeats as old. So it waits for a lease before it does. With three beats in a lease, whoever missed
none sees nobody's heartbeat pass the lease by the same outage.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import runs
from callsavvy_async.campaigns.journal.writer import Work, Writer
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.policy.pacer import PacerSnapshot

_BEATS_IN_A_LEASE = 3
_WITHOUT_LEASE = 30.0
"""Seconds of a lease that nobody waits for."""


@attrs.define
class Heartbeat:
    """Beats until it is stopped, also while its run is being cancelled and waits for answers."""

    writer: Writer
    context: RunContext
    on_lost: Callable[[], object]
    """Called when the run was taken for dead."""
    limit: Callable[[], PacerSnapshot]
    """What is known of the account's limit."""
    _scope: anyio.CancelScope = attrs.field(factory=lambda: anyio.CancelScope(shield=True))
    _settled: int = 0

    def stop(self) -> None:
        """Beat no more."""
        self._scope.cancel()

    async def beat(self) -> None:
        """Beat until it is stopped, or the run was taken for dead."""
        lease = self.writer.database.lease or _WITHOUT_LEASE
        interval = lease / _BEATS_IN_A_LEASE
        judges_from = last = anyio.current_time()
        with self._scope:
            while True:
                await anyio.sleep(interval)
                now = anyio.current_time()
                if now - last > 2 * interval:
                    judges_from = now + lease
                with suppress(JournalError):  # whoever writes next waits for it, or raises it
                    if not await self._beat_once(now - last):
                        self.on_lost()
                        return
                    last = now
                    if now >= judges_from:
                        await self.writer.run(lambda cursor: runs.take_over(cursor, [self.context.campaign]))

    async def is_lost(self) -> bool:
        """Whether the run was taken for dead."""
        return not await self.context.write(self._write_beat(0.0))

    async def _beat_once(self, seconds: float) -> bool:
        settled = self.context.settled
        rate = (settled - self._settled) / seconds if seconds > 0.0 else 0.0
        alive = await self.writer.run(self._write_beat(rate))
        self._settled = settled
        return alive

    def _write_beat(self, rate: float) -> Work[bool]:
        context, limit = self.context, self.limit()
        status = {
            "settled": context.settled,
            "held": len(context.held),
            "rate": round(rate, 1),
            "limit": limit.learned_rate,
            "shut_for": round(limit.shut_for, 1),
            "processes": limit.processes,
            "why": limit.why,
        }
        return lambda cursor: runs.beat(cursor, context.run_id, status)
