"""The rate limiter: requests that share a limit wait here until their `Pacer` admits them.

Theory.

1.  Handing out. Every event that may free a permit (the end of a request, a timer, a cancelled waiter) hands out all
    permits that are due, to the first waiters. So requests cannot overtake each other, and a waiter costs one entry in a
    queue, without a task or a timer.
2.  Timer. One waiter of each event loop is the timer for all of them: it sleeps until the next permit or deadline is due.
    The last waiter is chosen, because it waits the longest.
3.  Cancellation. A waiter that is cancelled after it has received a permit returns it.
4.  Deadlines lie in a heap. Entries of waiters that left remain until they reach the top or outnumber the others. That is
    O(1) for requests with similar deadlines.
5.  Threads. Event loops in several threads may use one limiter. They share the queue and the pacer under a lock, which is
    never held during a wait. A waiter is woken through its own event loop.
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
from callsavvy_async.policy.pacer import OUTAGE, Pacer, PacerSnapshot
from callsavvy_async.transport.clock import current_time, timer_seconds
from callsavvy_async.transport.expected_wait import Ends, ExpectedWait
from callsavvy_async.transport.fair_queue import FairQueue, Waiter
from callsavvy_async.transport.loops import CallSoon, reach, running_loop, runs_here

OnWait: TypeAlias = Callable[[float | None, str, int], None]
"""Receives a wait: expected seconds (None if unknown), the reason, and the number of requests that go first."""

_log = logging.getLogger("callsavvy_async")
_FEW = 64
_OUTAGE = 8
"""Number of consecutive failures that count as an outage."""
# bound once: an enum lookup takes 1,000 instructions on CPython 3.11
_ADMITTED, _RATE_LIMITED, _NOTHING = Signal.ADMITTED, Signal.RATE_LIMITED, Signal.NOTHING


class WaitTooLongError(Exception):
    """The wait would pass the deadline. `seconds` is the expected wait; None if unknown."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@attrs.define
class _Timer:
    """The waiter that is the timer of its event loop."""

    scope: anyio.CancelScope
    rings_at: float
    call_soon: CallSoon


class RateLimiter:
    """Admits requests as one pacer allows.

    Args:
        pacer: The arithmetic; never used by two threads at once.

    Attributes:
        lock: Held while the pacer is used.
    """

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self.admitted: int = 0
        """Number of requests admitted by the API so far."""
        self.lock: threading.RLock = threading.RLock()
        self._queue = FairQueue()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._numbers = itertools.count()
        self._timers: dict[object, _Timer] = {}
        self._failed = 0
        """Number of consecutive requests without a usable response."""
        self._ends = Ends()

    def __repr__(self) -> str:
        now = self.snapshot()
        rate = "no rate" if now.rate is None else f"{now.rate:.3g}/s"
        state = f"{rate} ({now.why}), {now.in_flight} of {now.allowed_in_flight} in flight, {now.waiting} waiting"
        return f"<{type(self.pacer).__name__}: {state}>"

    @property
    def waiting(self) -> int:
        """Number of requests that wait for their turn."""
        return self._queue.waiting

    def snapshot(self) -> PacerSnapshot:
        """Return the current state of the limit."""
        with self.lock:
            known = self.pacer.snapshot(current_time())
            why = OUTAGE if self._failed >= _OUTAGE else known.why
            return attrs.evolve(known, waiting=self.waiting, why=why)

    def expected_wait(self) -> float | None:
        """Return the estimated seconds until a request that came now would start; None while nothing is known."""
        with self.lock:
            return self._expect(current_time(), bulk=False, first=False).seconds

    def try_acquire(self, moment: float) -> Permit | None:
        """Return a permit if one is free and no other request waits for it.

        Args:
            moment: Current time on the shared clock.
        """
        with self.lock:
            if self._queue.waiting or self.pacer.delay(moment) > 0.0:
                return None
            return self.pacer.sent(moment)

    async def acquire(
        self, ends_at: float, on_wait: OnWait, *, bulk: bool = False, since: float | None = None
    ) -> Permit:
        """Wait for a permit.

        Args:
            ends_at: Deadline of the request on the shared clock; infinity for none.
            on_wait: Called once before a wait.
            bulk: True to let interactive requests go first.
            since: Start of the request, if it was rate-limited and so goes before the waiting ones.

        Raises:
            WaitTooLongError: The turn would come after the deadline. Raised before the wait if that is foreseeable.
        """
        moment = current_time()
        permit = self.try_acquire(moment)
        if permit is not None:
            return permit
        with self.lock:
            wait = self._expect(moment, bulk=bulk, first=since is not None)
        if moment >= ends_at or moment + wait.least > ends_at:
            raise WaitTooLongError(wait.seconds)
        on_wait(wait.seconds, wait.why, wait.ahead)
        return await self._wait_in(Waiter(bulk, ends_at, since, *running_loop()))

    def done(self, permit: Permit, feedback: Feedback, moment: float) -> None:
        """Return a permit, exactly once.

        An exception of a user's pacer is logged and otherwise ignored, so that the request's outcome is not lost.

        Args:
            permit: Permit from `acquire` or `try_acquire`.
            feedback: Outcome of the request for the pacer.
            moment: Current time on the shared clock.
        """
        signal = feedback.signal
        try:
            with self.lock:
                if signal is _ADMITTED:
                    self.admitted += 1
                    self._failed = 0
                else:
                    self._failed = 0 if signal is _RATE_LIMITED else self._failed + 1
                try:
                    self.pacer.done(moment, permit, feedback)
                finally:
                    if self._queue.waiting:
                        self._ends.note(moment, signal)
                        self._admit(moment)
                    else:
                        self._ends.last = None  # no request waits
        except Exception:  # noqa: BLE001 - see above
            _log.exception("the pacer %s failed on the end of a request", type(self.pacer).__name__)

    def look_again(self) -> None:
        """Hand out the permits that are due, after the pacer's state was changed from outside."""
        with self.lock:
            if self._queue.waiting:
                self._admit(current_time())

    def look_again_everywhere(self) -> None:
        """Call `look_again` in each event loop that has waiters."""
        with self.lock:
            for call_soon in self._queue.loops.values():
                reach(call_soon, self.look_again)

    def _expect(self, moment: float, *, bulk: bool, first: bool) -> ExpectedWait:
        """Return the expected wait of a newcomer; with `first`, of a request that goes before the waiting ones."""
        ahead = 0 if first else self._queue.ahead(bulk=bulk)
        return self._ends.expect(self.pacer.snapshot(moment), self.pacer.delay(moment), ahead)

    async def _wait_in(self, waiter: Waiter) -> Permit:
        try:
            with self.lock:
                self._queue.join(waiter)
                if waiter.ends_at < math.inf:
                    self._add_deadline(waiter)
                self._admit(current_time())
            while waiter.given is None:
                await self._sleep(waiter)
        except BaseException:
            with self.lock:
                if waiter.queued:
                    self._queue.leave(waiter)
                    self._admit(current_time())
                elif isinstance(waiter.given, Permit):
                    self.done(waiter.given, Feedback(_NOTHING), current_time())
            raise
        finally:
            with self.lock:
                if waiter.loop not in self._timers and (successor := self._queue.last_of(waiter.loop)) is not None:
                    self._wake(successor)
        if isinstance(waiter.given, Exception):
            raise waiter.given
        return waiter.given

    async def _sleep(self, waiter: Waiter) -> None:
        """Sleep until woken. The first waiter of an event loop also becomes its timer."""
        if waiter.loop in self._timers:
            await waiter.woken.wait()
        else:
            await self._sleep_as_timer(waiter)
        if waiter.given is None:
            waiter.woken = anyio.Event()

    async def _sleep_as_timer(self, waiter: Waiter) -> None:
        with self.lock:
            moment = current_time()
            due = min(moment + self.pacer.delay(moment), self._deadlines[0][0] if self._deadlines else math.inf)
            scope = anyio.move_on_after(timer_seconds(due - moment))
            self._timers[waiter.loop] = _Timer(scope, due, waiter.call_soon)
        try:
            with scope:
                await waiter.woken.wait()
        finally:
            self._timers.pop(waiter.loop, None)
        with self.lock:
            self._admit(current_time())

    def _admit(self, moment: float) -> None:
        """Hand out the permits that are due, and fail the waiters whose deadline has passed."""
        while self._deadlines and self._deadlines[0][0] <= moment:
            late = heappop(self._deadlines)[2]
            if late.queued:
                self._fail(late, self._expect(moment, bulk=late.bulk, first=False).seconds)
        while (first := self._queue.first) is not None:
            delay = self.pacer.delay(moment)
            if delay <= 0.0:
                self._queue.take(first)
                first.given = permit = self.pacer.sent(moment)
                if not self._wake(first):  # its event loop is closed
                    self.pacer.done(moment, permit, Feedback(_NOTHING))
            elif delay < math.inf and moment + delay > first.ends_at:
                self._fail(first, delay)
            else:
                self._ring_at(moment + delay, moment)
                return

    def _fail(self, waiter: Waiter, seconds: float | None) -> None:
        self._queue.leave(waiter)
        waiter.given = WaitTooLongError(seconds)
        self._wake(waiter)

    @staticmethod
    def _wake(waiter: Waiter) -> bool:
        """Wake a waiter in its event loop; return False if that loop is closed."""
        if runs_here(waiter.loop):
            waiter.wake()
            return True
        return reach(waiter.call_soon, waiter.wake)

    def _ring_at(self, at: float, moment: float) -> None:
        """Set all timers to ring at `at` at the latest."""
        for loop, timer in list(self._timers.items()):
            if at < timer.rings_at:
                if runs_here(loop):
                    timer.rings_at = at
                    timer.scope.deadline = anyio.current_time() + timer_seconds(at - moment)
                elif not reach(timer.call_soon, self.look_again):  # which sets the timer of that loop
                    del self._timers[loop]

    def _add_deadline(self, waiter: Waiter) -> None:
        if len(self._deadlines) > 2 * self._queue.waiting + _FEW:
            self._deadlines = [entry for entry in self._deadlines if entry[2].queued]
            heapify(self._deadlines)
        heappush(self._deadlines, (waiter.ends_at, next(self._numbers), waiter))
        self._ring_at(waiter.ends_at, current_time())
