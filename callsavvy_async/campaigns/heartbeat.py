"""The heartbeat of a run: extends its lease, reports its status, and takes over dead runs.

It beats independently of the run, which may wait for the rate limit, a window, a response or an outage.

An outage of the journal delays all heartbeats alike. After a missed beat, a run therefore takes over no other run for the
length of a lease. With three beats per lease, an outage in which this run misses no beat lets no other lease expire.
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

_BEATS_PER_LEASE = 3
_DEFAULT_LEASE = 30.0
"""Seconds; sets the interval for a journal without leases."""


@attrs.define
class Heartbeat:
    """Beats until `stop`, even while its run is cancelled and waits for responses."""

    writer: Writer
    context: RunContext
    on_lost: Callable[[], object]
    """Called when the run lost its lease."""
    limit: Callable[[], PacerSnapshot]
    """Returns the state of the rate limiter."""
    _scope: anyio.CancelScope = attrs.field(factory=lambda: anyio.CancelScope(shield=True))
    _settled: int = 0

    def stop(self) -> None:
        """Stop the heartbeat."""
        self._scope.cancel()

    async def beat(self) -> None:
        """Beat until `stop`, or until the run lost its lease."""
        lease = self.writer.database.lease or _DEFAULT_LEASE
        interval = lease / _BEATS_PER_LEASE
        judges_from = last = anyio.current_time()
        with self._scope:
            while True:
                await anyio.sleep(interval)
                now = anyio.current_time()
                if now - last > 2 * interval:
                    judges_from = now + lease
                with suppress(JournalError):  # the run's next write retries or raises it
                    if not await self._beat_once(now - last):
                        self.on_lost()
                        return
                    last = now
                    if now >= judges_from:
                        await self.writer.run(lambda cursor: runs.take_over(cursor, [self.context.campaign]))

    async def is_lost(self) -> bool:
        """Return True if the run lost its lease."""
        return not await self.context.write(self._write_beat(0.0))

    async def _beat_once(self, seconds: float) -> bool:
        settled = self.context.settled
        rate = (settled - self._settled) / seconds if seconds > 0.0 else 0.0
        began = anyio.current_time()
        alive = await self.writer.run(self._write_beat(rate))
        if alive:
            self.context.renew_lease(began)
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
