"""Whose turn it is: two queues, each first come first served, interactive requests before those of a bulk send.

A single call must not wait behind a bulk of a million, and a stream of single calls must not stop a bulk. So interactive
requests go first, but after `MOST_IN_A_ROW` of them one of a waiting bulk does: bulk keeps a fifth at least.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from itertools import chain

import anyio
import attrs

from callsavvy_async.policy.feedback import Permit
from callsavvy_async.transport.loops import CallSoon

MOST_IN_A_ROW = 4
"""Interactive requests that may start one after the other while a bulk send waits."""


def _nowhere(_: Callable[[], object]) -> None:
    """Reach no event loop."""


@attrs.define(eq=False)
class Place:
    """A place in one of the queues.

    Attributes:
        bulk: in which.
        ends_at: when it is given up, on the shared clock.
        queued: whether it stands in the queue; not yet, or no longer, otherwise.
        loop: the event loop in which it waits.
        call_soon: has that loop call something, from any thread.
        woken: set when there is something to see to.
        given: what it has waited for, as soon as it has it: a permit; or the error that says that it would come too late.
    """

    bulk: bool
    ends_at: float = math.inf
    loop: object = None
    call_soon: CallSoon = attrs.field(default=_nowhere, repr=False)
    queued: bool = False
    woken: anyio.Event = attrs.field(factory=anyio.Event)
    given: Permit | Exception | None = None

    def wake(self) -> None:
        """Let it look; to be called in its event loop."""
        self.woken.set()


@attrs.define
class Turns:
    """Requests that wait, and who of them is next. Every method is O(1)."""

    waiting: int = attrs.field(default=0, init=False)
    """How many wait."""
    _interactive: OrderedDict[Place, None] = attrs.field(factory=OrderedDict[Place, None], init=False)
    _bulk: OrderedDict[Place, None] = attrs.field(factory=OrderedDict[Place, None], init=False)
    _in_a_row: int = attrs.field(default=0, init=False)

    @property
    def first(self) -> Place | None:
        """Whose turn is next; None when nobody waits."""
        bulk_is_due = self._bulk and (not self._interactive or self._in_a_row >= MOST_IN_A_ROW)
        return next(iter(self._bulk if bulk_is_due else self._interactive), None)

    def last_of(self, loop: object) -> Place | None:
        """Return which of those who wait in an event loop will be here for the longest."""
        from_the_end = chain(reversed(self._bulk), reversed(self._interactive))
        return next((place for place in from_the_end if place.loop is loop), None)

    @property
    def loops(self) -> dict[object, CallSoon]:
        """Where requests wait, and how to reach these event loops."""
        return {place.loop: place.call_soon for place in chain(self._bulk, self._interactive)}

    def ahead(self, *, bulk: bool) -> int:
        """Return how many of those who wait would go before a newcomer, if nobody else came."""
        if bulk:
            before = len(self._bulk) * MOST_IN_A_ROW + MOST_IN_A_ROW
            return len(self._bulk) + min(len(self._interactive), before)
        return len(self._interactive) + min(len(self._bulk), len(self._interactive) // MOST_IN_A_ROW)

    def join(self, place: Place) -> None:
        """Queue up."""
        self._queue_of(place)[place] = None
        place.queued = True
        self.waiting += 1

    def leave(self, place: Place) -> None:
        """Leave the queue without having had a turn."""
        del self._queue_of(place)[place]
        place.queued = False
        self.waiting -= 1

    def take(self, place: Place) -> None:
        """Leave the queue: the request in this place starts."""
        self.leave(place)
        self._in_a_row = self._in_a_row + 1 if self._bulk and not place.bulk else 0

    def _queue_of(self, place: Place) -> OrderedDict[Place, None]:
        return self._bulk if place.bulk else self._interactive
