"""`WorkLoop`: takes rows of a table, works on some of them at a time, and gives back what it did not finish.

The outbox and the inbox of webhooks share it: the rows of both are taken by one process and, after its death, by another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")


class WorkLoop(Generic[T]):
    """Takes items, handles each in a task, and releases those that are not finished when it ends.

    An error of `take` or `handle` stops the loop. The other items are finished first, and then `run` raises the error.

    Args:
        take: Takes at most this many items for this process.
        handle: Handles an item to its end.
        release: Gives an item back. It is shielded from cancellation.
        most: Maximum number of items at a time.
        poll: Seconds between two takes. An item that is finished, and `wake`, bring the next one forward.
    """

    def __init__(
        self,
        take: Callable[[int], Awaitable[Sequence[T]]],
        handle: Callable[[T], Awaitable[object]],
        release: Callable[[T], Awaitable[object]],
        *,
        most: int,
        poll: float,
    ) -> None:
        self._take = take
        self._handle = handle
        self._release = release
        self._most = most
        self._poll = poll
        self._taken: dict[int, T] = {}
        """By the identity of the item, since its row may be taken again while its last attempt ends."""
        self._tasks: TaskGroup | None = None
        self._woken = anyio.Event()
        self._stopping = False
        self._failure: Exception | None = None
        self.pause: float = 0.0
        """Seconds until the next take, whatever wakes the loop. 0 to follow `poll`."""

    @property
    def taken(self) -> Collection[T]:
        """The items that are being handled."""
        return self._taken.values()

    def stop(self, within: float = float("inf")) -> None:
        """Take no more, and end once the items at hand are finished; after `within` seconds they are cancelled.

        Without `within`, a callback of the event loop may call it, which has no task and so no clock of anyio's.
        """
        self._stopping = True
        self._woken.set()
        if self._tasks is not None and within < float("inf"):
            scope = self._tasks.cancel_scope
            scope.deadline = min(scope.deadline, anyio.current_time() + within)

    def fail(self, error: Exception) -> None:
        """Stop. `run` raises the first error that it is given here."""
        self._failure = self._failure or error
        self.stop()

    def wake(self) -> None:
        """Take again now: there may be new items."""
        if not self.pause:
            self._woken.set()

    async def run(self, *, forever: bool = True) -> None:
        """Take and handle items until `stop`, or, without `forever`, until there are none left.

        Raises:
            Exception: The first error of `take`, of `handle` or given to `fail`.
        """
        try:
            async with anyio.create_task_group() as self._tasks:
                while not self._stopping:
                    self._woken = anyio.Event()
                    # An item at hand may end during the take, which has not seen the items that waited for it.
                    busy = bool(self._taken)
                    for item in await self._take_more():
                        self._tasks.start_soon(self._finish, item)
                    if not (busy or self._taken or forever):
                        break
                    with anyio.move_on_after(self.pause or self._poll):
                        await self._woken.wait()
        finally:
            with anyio.CancelScope(shield=True):
                for item in self._taken.values():
                    with self._failing():
                        await self._release(item)
            self._taken.clear()
        if self._failure is not None:
            raise self._failure

    async def _take_more(self) -> Sequence[T]:
        items: Sequence[T] = ()
        if free := self._most - len(self._taken):
            with self._failing():
                items = await self._take(free)
        self._taken |= {id(item): item for item in items}
        return items

    async def _finish(self, item: T) -> None:
        with self._failing():
            await self._handle(item)
            del self._taken[id(item)]
            self.wake()

    @contextlib.contextmanager
    def _failing(self) -> Generator[None, None, None]:
        """Let an error stop the loop, not the tasks beside it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self.fail(error)
