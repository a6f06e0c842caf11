"""Whose turn it is: two queues, each first come first served, interactive requests before those of a bulk send.

A single call must not wait behind a bulk of a million, and a stream of single calls must not stop a bulk. So interactive
requests go first, but after `MOST_IN_A_ROW` of them one of a waiting bulk does: bulk keeps a fifth at least.
"""

from __future__ import annotations

from collections import OrderedDict

import anyio
import attrs

MOST_IN_A_ROW = 4
"""Interactive requests that may start one after the other while a bulk send waits."""


@attrs.define(eq=False)
class Place:
    """A place in one of the queues. `woken` is set when it may have come to be first."""

    bulk: bool
    woken: anyio.Event = attrs.field(factory=anyio.Event)


@attrs.define
class Turns:
    """Requests that wait, and who of them is next. Every method is O(1)."""

    _interactive: OrderedDict[Place, None] = attrs.field(factory=OrderedDict[Place, None], init=False)
    _bulk: OrderedDict[Place, None] = attrs.field(factory=OrderedDict[Place, None], init=False)
    _in_a_row: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    @property
    def first(self) -> Place | None:
        """Whose turn is next; None when nobody waits."""
        bulk_is_due = self._bulk and (not self._interactive or self._in_a_row >= MOST_IN_A_ROW)
        return next(iter(self._bulk if bulk_is_due else self._interactive), None)

    def join(self, *, bulk: bool) -> Place:
        """Queue up."""
        place = Place(bulk)
        self._queue_of(place)[place] = None
        return place

    def leave(self, place: Place) -> None:
        """Leave the queue: having started, or having given up."""
        del self._queue_of(place)[place]

    def taken(self, place: Place) -> None:
        """Note that the request in this place starts."""
        self._in_a_row = self._in_a_row + 1 if self._bulk and not place.bulk else 0

    def wake_first(self) -> None:
        """Wake whoever is first."""
        first = self.first
        if first is not None:
            first.woken.set()

    def _queue_of(self, place: Place) -> OrderedDict[Place, None]:
        return self._bulk if place.bulk else self._interactive
