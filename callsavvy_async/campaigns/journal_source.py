"""Claims the pending chunks of a campaign, a few at a time, while their window is open.

Theory: chunks are claimed in the order of their numbers. Each claim starts after the last claim of its zone (its mark), so
its cost does not grow with the number of settled chunks. Chunks before the mark may become pending again, released by
another run or left by a dead one. The search restarts from the beginning once it finds no more chunks after the mark.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns.canary import Canary, Progress
from callsavvy_async.campaigns.journal import repository, runs
from callsavvy_async.campaigns.journal.budget import CampaignBudget, OutOfBudgetError
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.spec import Spec

LONGEST_SLEEP = 30.0
"""Seconds between two looks at the wall clock, which may be adjusted."""
_BETWEEN_JUDGEMENTS = 0.1
"""Seconds between two looks at a canary whose last requests are in flight."""
_BETWEEN_LOOKS = 1.0
"""Seconds between two looks of an idle run for chunks that other runs released."""


@attrs.define
class Throttle:
    """Spaces the requests of a run."""

    interval: float = 0.0
    """Seconds between two requests."""
    _last: float = -math.inf

    def delay(self, now: float) -> float:
        """Return the seconds until the next request."""
        return max(0.0, self._last + self.interval - now) if self.interval else 0.0

    def take(self, now: float) -> bool:
        """Reserve the next request; return False if it is too early."""
        if self.delay(now) > 0.0:
            return False
        self._last = now
        return True


def do_nothing() -> None:
    """Do nothing."""


def wall_clock() -> datetime:
    """Return the time of day. It may jump, so it only decides when requests may start."""
    return datetime.now(UTC)


@attrs.define
class JournalSource:
    """The source of a run's fan-out."""

    context: RunContext
    spec: Spec
    report: CampaignReport
    at_a_time: int
    """Largest number of chunks per claim."""
    budget: CampaignBudget | None
    """Budget of the campaign; None for no limit."""
    canary: Canary | None = None
    """Canary that the run is confined to; None for no confinement."""
    on_hold: Callable[[], object] = do_nothing
    """Called when the canary is over, to obey the command that ended it."""
    _marks: dict[str, int] = attrs.field(factory=dict[str, int])
    """Lowest chunk number of the next claim, for each zone with pending chunks."""
    _ready: deque[Chunk] = attrs.field(factory=deque[Chunk])
    throttle: Throttle = attrs.field(factory=Throttle)
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _going: anyio.Event = attrs.field(factory=anyio.Event)
    _pausing: set[str] = attrs.field(factory=set[str])

    def __attrs_post_init__(self) -> None:
        self._going.set()

    def pause(self, by: str) -> None:
        """Return no chunks until `go_on` by the same party."""
        self._pausing.add(by)
        if self._going.is_set():
            self._going = anyio.Event()

    def go_on(self, by: str) -> None:
        """Continue after `pause`, unless another party pauses too."""
        self._pausing.discard(by)
        if not self._pausing:
            self._going.set()

    def feeding(self) -> AbstractAsyncContextManager[None]:
        """Return an empty context: the workers themselves read the journal."""
        return nullcontext()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk; None once this run has tried all chunks.

        Waits while other runs hold chunks, which become pending if those runs stop or die.
        """
        if self._may_hand_out and not self.throttle.interval:
            return self._ready.popleft()  # without the lock, whose handover takes an event loop turn per worker
        async with self._lock:
            while True:
                if not self._going.is_set():
                    await self._release()
                    await self._going.wait()
                if self._may_hand_out:
                    if self.throttle.take(anyio.current_time()):
                        return self._ready.popleft()
                    await anyio.sleep(min(self.throttle.delay(anyio.current_time()), _BETWEEN_LOOKS))
                    continue
                await self._release()
                if self._going.is_set() and not await self._claim_or_wait():
                    return None

    @property
    def _may_hand_out(self) -> bool:
        return self._going.is_set() and bool(self._ready) and self.is_open(self._ready[0].zone)

    async def rest(self, *, only_at_hand: bool) -> AsyncIterator[Chunk]:  # noqa: ARG002 - all chunks are at hand
        """Yield the claimed chunks that no worker took."""
        while self._ready:
            yield self._ready.popleft()

    def is_open(self, zone: str) -> bool:
        """Return True if requests of these time zones may leave now."""
        return self._seconds_until_open(zone) == 0

    async def _claim_or_wait(self) -> bool:
        """Claim chunks, or sleep until some may be available. Return False if none will be."""
        context = self.context
        if not any(map(self.is_open, self._marks)):
            zones = await context.write(
                lambda cursor: repository.pending_zones(cursor, context.campaign, context.run_id, self._until)
            )
            self._marks = dict.fromkeys(zones, 0)
        waits = {zone: seconds for zone in self._marks if (seconds := self._seconds_until_open(zone)) is not None}
        for zone, seconds in waits.items():
            if seconds == 0:
                return await self._claim(zone)
        if waits:
            await anyio.sleep(min(*waits.values(), LONGEST_SLEEP))
            return True
        if await self._released_unconfirmed():
            return True
        if await context.write(lambda cursor: runs.others_hold(cursor, context.campaign, context.run_id)):
            await anyio.sleep(_BETWEEN_LOOKS)
            return True
        return self.canary is not None and await self._conclude(self.canary)

    @property
    def _until(self) -> int:
        return repository.LAST if self.canary is None else self.canary.last

    async def _conclude(self, canary: Canary) -> bool:
        """End the canary once all of its requests are settled. Return False if this run can send nothing more."""
        progress = await canary.conclude()
        if progress is Progress.OVER:
            self.canary = None
            self.on_hold()
        elif progress is Progress.BUSY:
            await anyio.sleep(_BETWEEN_JUDGEMENTS)
        return progress is not Progress.STUCK

    async def _claim(self, zone: str) -> bool:
        """Claim chunks from the mark of a zone on. Return False if the budget does not cover them."""
        context, text, since = self.context, self.spec.message.common or "", self._marks[zone]
        began = anyio.current_time()
        async with context.adding:
            try:
                claim = await context.claim(
                    lambda cursor: repository.claim(
                        cursor,
                        context.campaign,
                        context.run_id,
                        zone=zone,
                        since=since,
                        until=self._until,
                        limit=self.at_a_time,
                        text=text,
                        budget=self.budget,
                        reach=context.reach,
                    )
                )
            except OutOfBudgetError:
                self.report.stopped = self.report.stopped or StopReason.MAX_COST  # chunks claimed before are still sent
                return False
            context.held.update(chunk.number for chunk in claim.chunks)
            context.renew_lease(began)  # a claim is a heartbeat too
        self._ready.extend(claim.chunks)
        if claim.taken == self.at_a_time:
            self._marks[zone] = claim.last + 1
            return True
        del self._marks[zone]
        if not claim.taken and not since:  # other runs are claiming the chunks that were pending a moment ago
            await anyio.sleep(_BETWEEN_LOOKS)
        return True

    async def _released_unconfirmed(self) -> bool:
        """After an outage, release unconfirmed claims (see `run_context.py`) and return True; otherwise return False."""
        context = self.context
        if not context.doubtful:
            return False
        async with context.adding:
            await context.claim(lambda _: None)
        return True

    async def _release(self) -> None:
        """Release claimed chunks that wait for their window or a pause, so that they can be claimed later."""
        if not self._ready:
            return
        context = self.context
        numbers = [chunk.number for chunk in self._ready]
        self._ready.clear()
        await context.write(lambda cursor: repository.release(cursor, context.campaign, context.run_id, numbers))
        context.held.difference_update(numbers)

    def _seconds_until_open(self, zone: str) -> float | None:
        now = wall_clock()
        at = max(now, self.spec.settings.start_at or now)
        window = self.spec.settings.window
        after_start = 0.0 if window is None or not zone else window.seconds_until_open(zone, at)
        return None if after_start is None else (at - now).total_seconds() + after_start
