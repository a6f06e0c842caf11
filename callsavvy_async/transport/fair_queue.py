"""The fair queue: two first-in, first-out queues, for interactive requests and for bulk sends.

-   A single request must not wait behind a bulk send of a million, and a stream of single requests must not stop a bulk
    send. So interactive requests go first, but after `MOST_IN_A_ROW` of them one bulk request does. A bulk send gets at
    least a fifth of the turns.
-   A rate-limited request started before all waiting ones, so it goes first again, in the order of the first attempts.
    A request that is rate-limited repeatedly may exceed the limit by itself and would block the queue, so after
    `PATIENCE` 429s it joins at the end.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import chain, count

import anyio
import attrs

from callsavvy_async.policy.feedback import Permit
from callsavvy_async.transport.loops import CallSoon

MOST_IN_A_ROW = 4
"""Maximum number of consecutive interactive requests while a bulk send waits."""
PATIENCE = 4
"""Number of 429s after which a request no longer goes first."""


def _nowhere(_: Callable[[], object]) -> None:
    """Do nothing, in place of an event loop."""


@attrs.define(eq=False)
class Waiter:
    """A request that waits for its turn.

    Attributes:
        bulk: True for a request of a bulk send.
        ends_at: Deadline on the shared clock.
        since: Start of the request, if it was rate-limited and so goes before newcomers.
        queued: True while it is in the queue.
        loop: Event loop in which it waits.
        call_soon: Schedules a callback in that loop, from any thread.
        woken: Event that wakes the waiting task.
        given: Result of the wait: a permit, or the error for a turn after the deadline; None while it waits.
    """

    bulk: bool
    ends_at: float = math.inf
    since: float | None = None
    loop: object = None
    call_soon: CallSoon = attrs.field(default=_nowhere, repr=False)
    queued: bool = False
    woken: anyio.Event = attrs.field(factory=anyio.Event)
    given: Permit | Exception | None = None

    def wake(self) -> None:
        """Wake the waiting task, from within its event loop."""
        self.woken.set()


@attrs.define
class _Queue:
    """One queue: rate-limited requests first, the oldest before the others, then newcomers."""

    waiters: OrderedDict[Waiter, None] = attrs.field(factory=OrderedDict[Waiter, None], init=False)
    rate_limited: list[tuple[float, int, Waiter]] = attrs.field(factory=list[tuple[float, int, Waiter]], init=False)
    """A heap. Waiters that have left the queue remain in it until they reach the top."""
    _numbers: count[int] = attrs.field(factory=count, init=False)
    waiting: int = attrs.field(default=0, init=False)

    @property
    def first(self) -> Waiter | None:
        """The next waiter; None if the queue is empty."""
        while self.rate_limited and not self.rate_limited[0][2].queued:
            heappop(self.rate_limited)
        return self.rate_limited[0][2] if self.rate_limited else next(iter(self.waiters), None)

    def newest_first(self) -> Iterator[Waiter]:
        """Yield the waiters from last to first."""
        yield from reversed(self.waiters)
        yield from (waiter for _, _, waiter in sorted(self.rate_limited, reverse=True) if waiter.queued)

    def join(self, waiter: Waiter) -> None:
        """Add a waiter."""
        waiter.queued = True
        self.waiting += 1
        if waiter.since is None:
            self.waiters[waiter] = None
        else:
            heappush(self.rate_limited, (waiter.since, next(self._numbers), waiter))

    def leave(self, waiter: Waiter) -> None:
        """Remove a waiter."""
        waiter.queued = False
        self.waiting -= 1
        self.waiters.pop(waiter, None)


@attrs.define
class FairQueue:
    """The waiting requests of one limit. `join`, `take` and `first` are O(1), or O(log n) after a 429."""

    _interactive: _Queue = attrs.field(factory=_Queue, init=False)
    _bulk: _Queue = attrs.field(factory=_Queue, init=False)
    _in_a_row: int = attrs.field(default=0, init=False)
    waiting: int = attrs.field(default=0, init=False)
    """Number of waiters. A plain attribute, because each send reads it twice."""

    @property
    def first(self) -> Waiter | None:
        """The next waiter; None if both queues are empty."""
        bulk_is_due = self._bulk.waiting and (not self._interactive.waiting or self._in_a_row >= MOST_IN_A_ROW)
        return (self._bulk if bulk_is_due else self._interactive).first

    @property
    def loops(self) -> dict[object, CallSoon]:
        """Event loops with waiters, and the function that schedules callbacks in each."""
        return {waiter.loop: waiter.call_soon for waiter in self._newest_first()}

    def last_of(self, loop: object) -> Waiter | None:
        """Return the last waiter of an event loop."""
        return next((waiter for waiter in self._newest_first() if waiter.loop is loop), None)

    def _newest_first(self) -> Iterator[Waiter]:
        return chain(self._bulk.newest_first(), self._interactive.newest_first())

    def ahead(self, *, bulk: bool) -> int:
        """Return how many of the waiters go before a newcomer, if no other request follows."""
        interactive, others = self._interactive.waiting, self._bulk.waiting
        if bulk:
            return others + min(interactive, others * MOST_IN_A_ROW + MOST_IN_A_ROW)
        return interactive + min(others, interactive // MOST_IN_A_ROW)

    def join(self, waiter: Waiter) -> None:
        """Add a waiter."""
        self.waiting += 1
        self._queue_of(waiter).join(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Remove a waiter without a turn."""
        self.waiting -= 1
        self._queue_of(waiter).leave(waiter)

    def take(self, waiter: Waiter) -> None:
        """Remove a waiter whose request starts."""
        self.leave(waiter)
        self._in_a_row = self._in_a_row + 1 if self._bulk.waiting and not waiter.bulk else 0

    def _queue_of(self, waiter: Waiter) -> _Queue:
        return self._bulk if waiter.bulk else self._interactive
