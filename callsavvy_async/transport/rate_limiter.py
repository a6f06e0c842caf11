"""The shell around a `Pacer`: the requests that share one limit wait here, in the order in which they came.

Theory. Permits are handed out: whoever causes something to change (a request that ends, a timer, a waiter that gives
up) also gives out what the pacer now allows, to whoever is first, in one go. So nobody can overtake, and a waiter costs
an entry in a queue and nothing else: no task, no timer. One of those who wait keeps the time for all of them: it sleeps
until the next permit is due or the next deadline passes. It is the last in the queue, since that one stays the longest.

A waiter that is cancelled in the moment in which it is given a permit gives it back. Deadlines lie in a heap, in which
those of waiters long gone are left until they come up or are the majority: O(1) for requests of like deadlines.

Several event loops may use a limiter at once, in threads of their own: it is one limit. The queue and the pacer are theirs
together, under a lock that nobody holds while waiting; each loop has its own keeper of the time, so that none depends on
another's going on; and a waiter is woken through its own loop.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.pacer import Pacer, PacerSnapshot
from callsavvy_async.transport.clock import current_time, timer_seconds
from callsavvy_async.transport.fair_queue import FairQueue, Waiter
from callsavvy_async.transport.loops import CallSoon, reach, running_loop, runs_here

OnWait: TypeAlias = Callable[[float | None, str, int], None]
"""Told of a wait: the seconds that it will take, None when there is no telling; why; and how many go first."""

_log = logging.getLogger("callsavvy_async")
_FEW = 64


class WaitTooLongError(Exception):
    """The wait would pass the deadline. `seconds` is the wait that is expected, None when there is no telling."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@attrs.define
class _Keeper:
    """Who keeps the time in one event loop."""

    scope: anyio.CancelScope
    rings_at: float
    call_soon: CallSoon


class RateLimiter:
    """Admits requests as one pacer allows.

    Args:
        pacer: the arithmetic. It is asked by one thread at a time.

    Attributes:
        lock: held while the pacer is asked or told anything.
    """

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self.admitted = 0
        """Requests so far that were not refused."""
        self.lock = threading.RLock()
        self._queue = FairQueue()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._numbers = itertools.count()
        self._keepers: dict[object, _Keeper] = {}

    def __repr__(self) -> str:
        seen = self.snapshot()
        rate = "no rate" if seen.rate is None else f"{seen.rate:.3g}/s"
        held = f"{rate} ({seen.why}), {seen.in_flight} of {seen.allowed_in_flight} in flight, {seen.waiting} waiting"
        return f"<{type(self.pacer).__name__}: {held}>"

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return self._queue.waiting

    def snapshot(self) -> PacerSnapshot:
        """Return what is known of the limit, and what holds requests back now."""
        with self.lock:
            return attrs.evolve(self.pacer.snapshot(current_time()), waiting=self.waiting)

    def try_acquire(self, moment: float) -> Permit | None:
        """Return a permit if one is to be had without waiting and without passing anybody by.

        Args:
            moment: now, on the shared clock.
        """
        with self.lock:
            if self._queue.waiting or self.pacer.delay(moment) > 0.0:
                return None
            return self.pacer.sent(moment)

    async def acquire(
        self, ends_at: float, on_wait: OnWait, *, bulk: bool = False, since: float | None = None
    ) -> Permit:
        """Wait until one more request may start.

        Args:
            ends_at: the request's deadline on the shared clock; inf for none.
            on_wait: called once, before it comes to waiting.
            bulk: whether interactive requests go first.
            since: when the request first asked for a turn, if it had one and was refused: it goes before those that wait.

        Raises:
            WaitTooLongError: as soon as the turn is bound to come too late; before waiting, if that is foreseen then.
        """
        moment = current_time()
        permit = self.try_acquire(moment)
        if permit is not None:
            return permit
        with self.lock:
            expected, ahead, why = self._expect(moment, bulk=bulk, first=since is not None)
        if moment >= ends_at or (expected is not None and moment + expected > ends_at):
            raise WaitTooLongError(expected)
        on_wait(expected, why, ahead)
        return await self._wait_in(Waiter(bulk, ends_at, since, *running_loop()))

    def done(self, permit: Permit, feedback: Feedback, moment: float) -> None:
        """Give back what was acquired, with what was learned. Exactly once for each permit.

        What a pacer of the user's raises here is logged and otherwise ignored: the request was answered, and its outcome is
        not lost to what was to learn from it.

        Args:
            permit: what was acquired.
            feedback: how the request ended.
            moment: when, on the shared clock.
        """
        try:
            with self.lock:
                self.admitted += feedback.signal is Signal.ADMITTED
                try:
                    self.pacer.done(moment, permit, feedback)
                finally:
                    if self._queue.waiting:
                        self._admit(moment)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("the pacer %s failed on the end of a request", type(self.pacer).__name__)

    def look_again(self) -> None:
        """Give out what the pacer allows by now: it was told something from outside."""
        with self.lock:
            if self._queue.waiting:
                self._admit(current_time())

    def look_again_everywhere(self) -> None:
        """Have every event loop in which requests wait do so itself."""
        with self.lock:
            for call_soon in self._queue.loops.values():
                reach(call_soon, self.look_again)

    def _expect(self, moment: float, *, bulk: bool, first: bool) -> tuple[float | None, int, str]:
        """Return how long a newcomer will wait, how many go before it, and what holds them back.

        Where the rate is what holds them back, those before it leave as fast as the limit is believed to be.
        """
        known, delay = self.pacer.snapshot(moment), self.pacer.delay(moment)
        ahead = 0 if first else self._queue.ahead(bulk=bulk)
        if delay == math.inf:
            return None, ahead, known.why
        return delay + (ahead / known.learned_rate if known.learned_rate else 0.0), ahead, known.why

    async def _wait_in(self, waiter: Waiter) -> Permit:
        try:
            with self.lock:
                self._queue.join(waiter)
                if waiter.ends_at < math.inf:
                    self._note_deadline(waiter)
                self._admit(current_time())
            while waiter.given is None:
                await self._sleep(waiter)
        except BaseException:
            with self.lock:
                if waiter.queued:
                    self._queue.leave(waiter)
                    self._admit(current_time())
                elif isinstance(waiter.given, Permit):
                    self.done(waiter.given, Feedback(Signal.NOTHING), current_time())
            raise
        finally:
            with self.lock:
                if waiter.loop not in self._keepers and (successor := self._queue.last_of(waiter.loop)) is not None:
                    self._wake(successor)
        if isinstance(waiter.given, Exception):
            raise waiter.given
        return waiter.given

    async def _sleep(self, waiter: Waiter) -> None:
        """Sleep until woken; the first of its event loop to come here also keeps the time."""
        if waiter.loop in self._keepers:
            await waiter.woken.wait()
        else:
            await self._keep_time(waiter)
        if waiter.given is None:
            waiter.woken = anyio.Event()

    async def _keep_time(self, waiter: Waiter) -> None:
        with self.lock:
            moment = current_time()
            due = min(moment + self.pacer.delay(moment), self._deadlines[0][0] if self._deadlines else math.inf)
            scope = anyio.move_on_after(timer_seconds(due - moment))
            self._keepers[waiter.loop] = _Keeper(scope, due, waiter.call_soon)
        try:
            with scope:
                await waiter.woken.wait()
        finally:
            self._keepers.pop(waiter.loop, None)
        with self.lock:
            self._admit(current_time())

    def _admit(self, moment: float) -> None:
        """Give out every permit that is due, and give notice to those whose time is up."""
        while self._deadlines and self._deadlines[0][0] <= moment:
            late = heappop(self._deadlines)[2]
            if late.queued:
                expected, _, _ = self._expect(moment, bulk=late.bulk, first=False)
                self._give_notice(late, expected)
        while (first := self._queue.first) is not None:
            delay = self.pacer.delay(moment)
            if delay <= 0.0:
                self._queue.take(first)
                first.given = permit = self.pacer.sent(moment)
                if not self._wake(first):  # its event loop is no more
                    self.pacer.done(moment, permit, Feedback(Signal.NOTHING))
            elif delay < math.inf and moment + delay > first.ends_at:
                self._give_notice(first, delay)
            else:
                self._ring_at(moment + delay, moment)
                return

    def _give_notice(self, waiter: Waiter, seconds: float | None) -> None:
        self._queue.leave(waiter)
        waiter.given = WaitTooLongError(seconds)
        self._wake(waiter)

    @staticmethod
    def _wake(waiter: Waiter) -> bool:
        """Wake a waiter in its event loop; return whether there is one."""
        if runs_here(waiter.loop):
            waiter.wake()
            return True
        return reach(waiter.call_soon, waiter.wake)

    def _ring_at(self, at: float, moment: float) -> None:
        """Let those who keep the time look again by then."""
        for loop, keeper in list(self._keepers.items()):
            if at < keeper.rings_at:
                if runs_here(loop):
                    keeper.rings_at = at
                    keeper.scope.deadline = anyio.current_time() + timer_seconds(at - moment)
                elif not reach(keeper.call_soon, self.look_again):  # it sets its own alarm then
                    del self._keepers[loop]

    def _note_deadline(self, waiter: Waiter) -> None:
        if len(self._deadlines) > 2 * self._queue.waiting + _FEW:
            self._deadlines = [entry for entry in self._deadlines if entry[2].queued]
            heapify(self._deadlines)
        heappush(self._deadlines, (waiter.ends_at, next(self._numbers), waiter))
        self._ring_at(waiter.ends_at, current_time())
