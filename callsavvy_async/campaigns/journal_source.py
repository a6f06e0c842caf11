"""The pending chunks of a campaign, claimed a few at a time, when their window is open.

Theory: the lowest numbers go first, so what is done lies before what is pending, and grows. A claim goes on behind the last
one of its zone, so that it costs the same at the beginning and at the end. What becomes pending again before that mark
(released by another run, left by a dead one) is found when there is no more behind it: then everything is looked for anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns.journal import repository, runs
from callsavvy_async.campaigns.journal.budget import CampaignBudget, OutOfBudgetError
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.spec import Spec

LONGEST_SLEEP = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""
_BETWEEN_LOOKS = 1.0
"""Seconds after which a run that has nothing to do looks whether others left it something."""


def wall_clock() -> datetime:
    """Return the time of day. It may jump: nothing rests on it but when requests may start."""
    return datetime.now(UTC)


@attrs.define
class JournalSource:
    """Chunks for a fan-out."""

    context: RunContext
    spec: Spec
    report: CampaignReport
    at_a_time: int
    allowance: CampaignBudget | None
    _marks: dict[str, int] = attrs.field(factory=dict[str, int])
    """The zones that had pending chunks, and of each the number at which the next claim begins."""
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

    def feeding(self) -> AbstractAsyncContextManager[None]:
        """Nothing has to be read beside the workers."""
        return nullcontext()

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk; None when none is pending that this run did not try yet, nor will be.

        What other runs hold may come to be: when they die, or stop.
        """
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
        """Whether requests of these time zones may leave now."""
        return self._seconds_until_open(zone) == 0

    async def _claim_or_wait(self) -> bool:
        """Claim some chunks, or sleep until there may be some; False when there never will be."""
        context = self.context
        if not any(map(self.is_open, self._marks)):
            zones = await context.write(
                lambda cursor: repository.pending_zones(cursor, context.campaign, context.run_id)
            )
            self._marks = dict.fromkeys(zones, 0)
        waits = {zone: seconds for zone in self._marks if (seconds := self._seconds_until_open(zone)) is not None}
        for zone, seconds in waits.items():
            if seconds == 0:
                return await self._claim(zone)
        if waits:
            await anyio.sleep(min(*waits.values(), LONGEST_SLEEP))
            return True
        if await self._gave_back_what_is_not_held():
            return True
        if await context.write(lambda cursor: runs.others_hold(cursor, context.campaign, context.run_id)):
            await anyio.sleep(_BETWEEN_LOOKS)
            return True
        return False

    async def _claim(self, zone: str) -> bool:
        """Claim some chunks behind the mark of a zone; False when they cost too much."""
        context, text, since = self.context, self.spec.message.common or "", self._marks[zone]
        async with context.adding:
            try:
                claimed = await context.claim(
                    lambda cursor: repository.claim(
                        cursor,
                        context.campaign,
                        context.run_id,
                        zone=zone,
                        since=since,
                        limit=self.at_a_time,
                        text=text,
                        allowance=self.allowance,
                    )
                )
            except OutOfBudgetError:
                self.report.stopped = self.report.stopped or StopReason.MAX_COST  # what was claimed before still goes
                return False
            context.held.update(chunk.number for chunk in claimed)
        self._ready.extend(claimed)
        if len(claimed) == self.at_a_time:
            self._marks[zone] = claimed[-1].number + 1
            return True
        del self._marks[zone]
        if not claimed and not since:  # some were pending a moment ago: others are claiming them
            await anyio.sleep(_BETWEEN_LOOKS)
        return True

    async def _gave_back_what_is_not_held(self) -> bool:
        """After an outage, release what may have been claimed unheard of; see `context.py`."""
        context = self.context
        if not context.doubtful:
            return False
        async with context.adding:
            await context.claim(lambda _: None)
        return True

    async def _give_back(self) -> None:
        """Release what was claimed before its window closed; it may be claimed again."""
        context = self.context
        numbers = [chunk.number for chunk in self._ready]
        self._ready.clear()
        await context.write(lambda cursor: repository.give_back(cursor, context.campaign, context.run_id, numbers))
        context.held.difference_update(numbers)

    def _seconds_until_open(self, zone: str) -> float | None:
        now = wall_clock()
        at = max(now, self.spec.settings.start_at or now)
        window = self.spec.settings.window
        after_start = 0.0 if window is None or not zone else window.seconds_until_open(zone, at)
        return None if after_start is None else (at - now).total_seconds() + after_start
