"""Writes the journal in one thread, with one connection and group commits.

Theory:

1. Group commit. A durable commit costs an fsync of some milliseconds, regardless of its size. During a commit, new units
   of work queue up, and the next commit takes all of them. So groups grow with the load.
2. Isolation. The units of a group run in turn in one transaction. If one fails, the group is rolled back and runs again
   with a savepoint per unit, so that only the failed unit is lost. Failures are rare, and a savepoint costs more than the
   statement in it, so the first attempt has none.
3. Durability. A unit's result is returned only after the commit.
4. Combination. Units of one kind in a group run as one, so that their statements share a round trip to the server.
5. Turns. Units that must not run beside those of other processes share a transaction apart, because others wait for its end.
   See `frequency.py`.
6. Outages. If the connection breaks, the current group fails, and the next one reconnects. A COMMIT without confirmation
   may have succeeded, so a unit that is retried (`retrying_writer.py`) must detect its own repetition.

A coroutine waits for an event that its own loop sets, so asyncio and trio both work.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeAlias, TypeVar, cast

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.transport.loops import CallSoon, new_signal, reach, running_loop

Item = TypeVar("Item")
T = TypeVar("T")
Work: TypeAlias = Callable[[Cursor], T]
"""A unit of work. It changes only the database, because it runs again if its transaction fails."""

Combined: TypeAlias = Callable[[Cursor, list[Item]], Sequence[T]]
"""A unit of work for several items; it returns a result for each."""

LARGEST_GROUP = 512


@attrs.define(eq=False)
class _Job(Generic[T]):
    """A unit of work in the writer's queue. A `combined` one takes the items of all jobs with the same one."""

    work: Work[T]
    alone: bool = False
    turn: bool = False
    combined: Combined[object, T] | None = None
    item: object = None
    loop: tuple[object, CallSoon] = attrs.field(factory=running_loop)
    signal: tuple[Awaitable[object], Callable[[], object]] = attrs.field(factory=new_signal)
    result: T | None = None
    error: BaseException | None = None


class Writer:
    """Runs units of work in groups, in one thread.

    Args:
        database: database of the journal; only that thread uses it.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._process = os.getpid()
        self._deferred: list[Work[object]] = []

    async def open(self) -> None:
        """Start the thread, and wait until the connection is open.

        Raises:
            JournalError: the database cannot be opened.
        """
        self._closed, self._process = False, os.getpid()
        opening = cast("_Job[object]", _Job(_nothing, alone=True))
        self._thread = threading.Thread(target=self._run, args=(opening,), name="callsavvy-journal", daemon=True)
        self._thread.start()
        with anyio.CancelScope(shield=True):
            await opening.signal[0]
        if opening.error is not None:
            raise self.database.explain(opening.error)

    async def run(self, work: Work[T], *, alone: bool = False, turn: bool = False) -> T:
        """Run a unit of work, and return its result once it is durable.

        Args:
            work: the unit. Cancelling this method does not cancel it.
            alone: True to run it outside of transactions, as VACUUM requires.
            turn: True to run it in turn with other processes, once the journal takes turns.

        Raises:
            JournalError: the journal is closed, or the database raised an error; see `Database.explain`.
            Exception: an exception of the work.
        """
        self._refuse_if_unusable()
        return await self._finish(_Job(work, alone, turn))

    async def run_combined(self, work: Combined[Item, T], item: Item, *, shield: bool = False) -> T:
        """Run a unit of work for an item, together with other items of the group, and return its result once it is durable.

        Args:
            work: the unit. Those that are equal run as one.
            item: the item. Cancelling this method does not cancel it.
            shield: True to return the result even if this method is cancelled meanwhile.

        Raises:
            JournalError: see `run`.
        """
        self._refuse_if_unusable()
        job = _Job(cast("Work[T]", _nothing), combined=cast("Combined[object, T]", work), item=item)
        if not shield:
            return await self._finish(job)
        with anyio.CancelScope(shield=True):
            await self._finish(job)
        return cast("T", job.result)

    def _refuse_if_unusable(self) -> None:
        if self._closed:
            raise JournalError("the journal is closed; use its campaigns inside its 'async with' block.")
        if self._process != os.getpid():  # a forked child may even have no event loop
            raise JournalError("the journal was opened before this process was forked; open it again in this process.")

    async def _finish(self, job: _Job[T]) -> T:
        self._jobs.put(cast("_Job[object]", job))
        await job.signal[0]
        if job.error is not None:
            raise self.database.explain(job.error)
        return cast("T", job.result)

    def defer(self, work: Work[object]) -> None:
        """Run a unit of work in the next transaction, without waiting for it. For use while the journal is unavailable."""
        self._deferred.append(work)

    async def close(self) -> None:
        """Run all queued units, and close the connection."""
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None and self._process == os.getpid():
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)

    # ------------------------------------------------------------------------------------------------ in the thread

    def _run(self, opening: _Job[object]) -> None:
        try:
            self.database.open()
        except BaseException as error:  # noqa: BLE001 - raised by `open`
            opening.error = error
            _wake([opening])
            return
        _wake([opening])
        while group := self._next_group():
            try:
                self.database.renew()
            except BaseException as error:  # noqa: BLE001 - raised by `run`
                for job in group:
                    job.error = error
            else:
                _execute(self.database, group, self._deferred)
            _wake(group)
        self.database.close()

    def _next_group(self) -> list[_Job[object]]:
        """Wait for a job, and take all queued jobs. Return [] when the writer is closed."""
        group: list[_Job[object]] = []
        while len(group) < LARGEST_GROUP:
            try:
                job = self._jobs.get(block=not group)
            except queue.Empty:
                break
            if job is None:
                if group:
                    self._jobs.put(None)
                break
            group.append(job)
        return group


def _execute(database: Database, group: list[_Job[object]], deferred: list[Work[object]]) -> None:
    together = [job for job in group if not job.alone]
    if database.takes_turns:
        _commit_all(database, [job for job in together if job.turn], deferred, turn=True)
        together = [job for job in together if not job.turn]
    _commit_all(database, together, deferred)
    for job in group:
        if job.alone:
            _try(database.cursor(), [job])


def _commit_all(
    database: Database, jobs: list[_Job[object]], deferred: list[Work[object]], *, turn: bool = False
) -> None:
    if jobs and not _commit(database, _combine(jobs), deferred, turn=turn) and len(jobs) > 1:
        _commit(database, [[job] for job in jobs], deferred, turn=turn, attempt=_try_in_savepoint)


def _combine(jobs: list[_Job[object]]) -> list[list[_Job[object]]]:
    """Return the jobs that run as one, in the order of their first ones."""
    units: dict[object, list[_Job[object]]] = {}
    for job in jobs:
        units.setdefault(job if job.combined is None else job.combined, []).append(job)
    return list(units.values())


def _commit(
    database: Database,
    units: list[list[_Job[object]]],
    deferred: list[Work[object]],
    *,
    turn: bool = False,
    attempt: Callable[[Cursor, list[_Job[object]]], bool] | None = None,
) -> bool:
    """Run units in one transaction. Return False if a unit failed and the transaction was rolled back."""
    done = len(deferred)  # another thread may append meanwhile
    attempt = attempt or _try
    for job in (job for unit in units for job in unit):
        job.error = None
    cursor = database.cursor()
    try:
        cursor.execute("BEGIN")
        if turn:
            database.take_turns(cursor)
        for work in deferred[:done]:
            work(cursor)
        for unit in units:
            if not attempt(cursor, unit):
                cursor.execute("ROLLBACK")
                return False
        database.commit(cursor)
        del deferred[:done]
    except BaseException as error:  # noqa: BLE001 - raised by `run` for every unit
        with suppress(Exception):
            cursor.execute("ROLLBACK")
        for job in (job for unit in units for job in unit):
            job.error = job.error or error
    return True


def _try(cursor: Cursor, unit: list[_Job[object]]) -> bool:
    combined = unit[0].combined
    try:
        items = [job.item for job in unit]
        results = [unit[0].work(cursor)] if combined is None else combined(cursor, items)
    except BaseException as error:  # noqa: BLE001 - raised by `run`
        for job in unit:
            job.error = error
        return False
    for job, result in zip(unit, results, strict=True):
        job.result = result
    return True


def _try_in_savepoint(cursor: Cursor, unit: list[_Job[object]]) -> bool:
    cursor.execute("SAVEPOINT unit")
    if not _try(cursor, unit):
        cursor.execute("ROLLBACK TO unit")  # fails if the database rolled back the transaction, as on a full disk
    cursor.execute("RELEASE unit")
    return True


def _nothing(_: Cursor) -> None:
    """Do nothing."""


def _wake(jobs: list[_Job[object]]) -> None:
    """Wake the waiting coroutines whose event loop has not ended. One callback wakes all of a loop, because each costs."""
    waiting: dict[object, tuple[CallSoon, list[Callable[[], object]]]] = {}
    for job in jobs:
        loop, call_soon = job.loop
        waiting.setdefault(loop, (call_soon, []))[1].append(job.signal[1])
    for call_soon, wakes in waiting.values():
        reach(call_soon, partial(_call, wakes))


def _call(wakes: list[Callable[[], object]]) -> None:
    for wake in wakes:
        wake()
