"""Whose turn it is: two queues, each first come first served, interactive requests before those of a bulk send.

A request that was refused keeps its waiter: it started before all who wait, so it goes before them again, and before those that
were refused with it but came later. One that is refused again and again may be heavier than the limit allows at once, and would
keep everybody waiting: from its `PATIENCE`-th refusal on it queues up at the end.

A single request must not wait behind a bulk of a million, and a stream of single requests must not stop a bulk. So interactive
requests go first, but after `MOST_IN_A_ROW` of them one of a waiting bulk does: bulk keeps a fifth at least.
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
"""Interactive requests that may start one after the other while a bulk send waits."""


PATIENCE = 4
"""Refusals after which a request no longer goes before the others."""


def _nowhere(_: Callable[[], object]) -> None:
    """Reach no event loop."""


@attrs.define(eq=False)
class Waiter:
    """A waiter in one of the queues.

    Attributes:
        bulk: in which.
        ends_at: when it is given up, on the shared clock.
        since: when its request first asked for a turn, if it has been refused since then and goes before newcomers.
        queued: whether it stands in the queue; not yet, or no longer, otherwise.
        loop: the event loop in which it waits.
        call_soon: has that loop call something, from any thread.
        woken: set when there is something to see to.
        given: what it has waited for, as soon as it has it: a permit; or the error that says that it would come too late.
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
        """Let it look; to be called in its event loop."""
        self.woken.set()


@attrs.define
class _Queue:
    """Those that were refused, the oldest first, and then those that came."""

    waiters: OrderedDict[Waiter, None] = attrs.field(factory=OrderedDict[Waiter, None], init=False)
    refused: list[tuple[float, int, Waiter]] = attrs.field(factory=list[tuple[float, int, Waiter]], init=False)
    """A heap; who has left it stays in it until he comes up."""
    _numbers: count[int] = attrs.field(factory=count, init=False)
    waiting: int = attrs.field(default=0, init=False)

    @property
    def first(self) -> Waiter | None:
        """Whose turn is next; None when nobody waits."""
        while self.refused and not self.refused[0][2].queued:
            heappop(self.refused)
        return self.refused[0][2] if self.refused else next(iter(self.waiters), None)

    def newest_first(self) -> Iterator[Waiter]:
        """Yield those that wait, from the one that will be here for the longest."""
        yield from reversed(self.waiters)
        yield from (waiter for _, _, waiter in sorted(self.refused, reverse=True) if waiter.queued)

    def join(self, waiter: Waiter) -> None:
        """Queue up."""
        waiter.queued = True
        self.waiting += 1
        if waiter.since is None:
            self.waiters[waiter] = None
        else:
            heappush(self.refused, (waiter.since, next(self._numbers), waiter))

    def leave(self, waiter: Waiter) -> None:
        """Leave the queue."""
        waiter.queued = False
        self.waiting -= 1
        self.waiters.pop(waiter, None)


@attrs.define
class FairQueue:
    """Requests that wait, and who of them is next. Every method is O(1), or O(log n) for those that were refused."""

    _interactive: _Queue = attrs.field(factory=_Queue, init=False)
    _bulk: _Queue = attrs.field(factory=_Queue, init=False)
    _in_a_row: int = attrs.field(default=0, init=False)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._interactive.waiting + self._bulk.waiting

    @property
    def first(self) -> Waiter | None:
        """Whose turn is next; None when nobody waits."""
        bulk_is_due = self._bulk.waiting and (not self._interactive.waiting or self._in_a_row >= MOST_IN_A_ROW)
        return (self._bulk if bulk_is_due else self._interactive).first

    @property
    def loops(self) -> dict[object, CallSoon]:
        """Where requests wait, and how to reach these event loops."""
        return {waiter.loop: waiter.call_soon for waiter in self._newest_first()}

    def last_of(self, loop: object) -> Waiter | None:
        """Return which of those that wait in an event loop will be here for the longest."""
        return next((waiter for waiter in self._newest_first() if waiter.loop is loop), None)

    def _newest_first(self) -> Iterator[Waiter]:
        return chain(self._bulk.newest_first(), self._interactive.newest_first())

    def ahead(self, *, bulk: bool) -> int:
        """Return how many of those who wait would go before a newcomer, if nobody else came."""
        interactive, others = self._interactive.waiting, self._bulk.waiting
        if bulk:
            return others + min(interactive, others * MOST_IN_A_ROW + MOST_IN_A_ROW)
        return interactive + min(others, interactive // MOST_IN_A_ROW)

    def join(self, waiter: Waiter) -> None:
        """Queue up."""
        self._queue_of(waiter).join(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Leave the queue without having had a turn."""
        self._queue_of(waiter).leave(waiter)

    def take(self, waiter: Waiter) -> None:
        """Leave the queue: the request in this waiter starts."""
        self.leave(waiter)
        self._in_a_row = self._in_a_row + 1 if self._bulk.waiting and not waiter.bulk else 0

    def _queue_of(self, waiter: Waiter) -> _Queue:
        return self._bulk if waiter.bulk else self._interactive
