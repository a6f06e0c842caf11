"""The pending chunks of a campaign, claimed a few at a time, when their window is open."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.campaigns import store
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.writer import Writer

LONGEST_SLEEP = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""


def wall_clock() -> datetime:
    """Return the time of day. It may jump: nothing rests on it but when calls may start."""
    return datetime.now(UTC)


@attrs.define
class JournalSource:
    """Chunks for a fan-out."""

    writer: Writer
    campaign: int
    epoch: int
    spec: Spec
    at_a_time: int
    _ready: deque[Chunk] = attrs.field(factory=deque[Chunk])
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _going: anyio.Event = attrs.field(factory=anyio.Event)

    def __attrs_post_init__(self) -> None:
        self._going.set()

    def pause(self) -> None:
        """Hand out nothing more until `go_on`."""
        if self._going.is_set():
            self._going = anyio.Event()

    def go_on(self) -> None:
        """Hand out chunks again."""
        self._going.set()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, None when none is pending that this epoch did not try yet."""
        if self._going.is_set() and self._ready and self.is_open(self._ready[0].zone):
            return self._ready.popleft()  # no lock: to hand it on takes a turn of the event loop for each worker
        async with self._lock:
            while True:
                await self._going.wait()
                if self._ready:
                    if self.is_open(self._ready[0].zone):
                        return self._ready.popleft()
                    await self._give_back()
                if not await self._claim_or_wait():
                    return None

    async def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:  # noqa: ARG002 - nothing is ever waited for
        """Yield what was claimed and nobody took."""
        while self._ready:
            yield self._ready.popleft()

    def is_open(self, zone: str) -> bool:
        """Whether calls of these time zones may leave now."""
        return self._seconds_until_open(zone) == 0

    async def _claim_or_wait(self) -> bool:
        """Claim some chunks, or sleep until there may be some; False when there never will be."""
        zones = await self.writer.run(lambda cursor: store.pending_zones(cursor, self.campaign, self.epoch))
        waits = {zone: seconds for zone in zones if (seconds := self._seconds_until_open(zone)) is not None}
        open_now = [zone for zone, seconds in waits.items() if seconds == 0]
        if open_now:
            text = self.spec.content
            own = text if isinstance(text, str) else ""
            claimed = await self.writer.run(
                lambda cursor: store.claim(
                    cursor, self.campaign, self.epoch, zones=open_now, limit=self.at_a_time, text=own
                )
            )
            self._ready.extend(claimed)
        elif waits:
            await anyio.sleep(min(*waits.values(), LONGEST_SLEEP))
        return bool(waits)

    async def _give_back(self) -> None:
        """Release what was claimed before its window closed; it may be claimed again."""
        numbers = [chunk.number for chunk in self._ready]
        self._ready.clear()
        await self.writer.run(lambda cursor: store.release(cursor, self.campaign, self.epoch, numbers))

    def _seconds_until_open(self, zone: str) -> float | None:
        now = wall_clock()
        start = datetime.fromisoformat(self.spec.start_at) if self.spec.start_at else now
        at = max(now, start)
        window = self.spec.window
        after_start = 0.0 if window is None or not zone else window.seconds_until_open(zone, at)
        return None if after_start is None else (at - now).total_seconds() + after_start
