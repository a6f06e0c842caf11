"""Writes the journal in one thread, with one connection and group commits.

Theory:

1. Group commit. A durable commit costs an fsync of some milliseconds, regardless of its size. During a commit, new units
   of work queue up, and the next commit takes all of them. So groups grow with the load.
2. Isolation. The units of a group run in turn in one transaction. If one fails, the group is rolled back and runs again
   with a savepoint per unit, so that only the failed unit is lost. Failures are rare, and a savepoint costs more than the
   statement in it, so the first attempt has none.
3. Durability. A unit's result is returned only after the commit.
4. Outages. If the connection breaks, the current group fails, and the next one reconnects. A COMMIT without confirmation
   may have succeeded, so a unit that is retried (`retrying_writer.py`) must detect its own repetition.

A coroutine waits for an event that its own loop sets, so asyncio and trio both work.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar, cast

import anyio
import attrs
import sniffio

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal.database import Cursor, Database

T = TypeVar("T")
Work: TypeAlias = Callable[[Cursor], T]
"""A unit of work. It changes only the database, because it runs again if its transaction fails."""

LARGEST_GROUP = 512


@attrs.define(eq=False)
class _Job(Generic[T]):
    """A unit of work in the writer's queue."""

    work: Work[T]
    alone: bool
    run_in_loop: Callable[[Callable[[], object]], object]
    done: anyio.Event = attrs.field(factory=anyio.Event)
    result: T | None = None
    error: BaseException | None = None

    def finish(self) -> None:
        """Wake the waiting coroutine, unless its event loop has ended."""
        with suppress(RuntimeError):
            self.run_in_loop(self.done.set)


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
        self._deferred: list[Work[None]] = []

    async def open(self) -> None:
        """Start the thread, and wait until the connection is open.

        Raises:
            JournalError: the database cannot be opened.
        """
        self._closed, self._process = False, os.getpid()
        opening = cast("_Job[object]", _Job(_nothing, alone=True, run_in_loop=_loop_runner()))
        self._thread = threading.Thread(target=self._run, args=(opening,), name="callsavvy-journal", daemon=True)
        self._thread.start()
        with anyio.CancelScope(shield=True):
            await opening.done.wait()
        if opening.error is not None:
            raise self.database.explain(opening.error)

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Run a unit of work, and return its result once it is durable.

        Args:
            work: the unit. Cancelling this method does not cancel it.
            alone: True to run it outside of transactions, as VACUUM requires.

        Raises:
            JournalError: the journal is closed, or the database raised an error; see `Database.explain`.
            Exception: an exception of the work.
        """
        if self._closed:
            raise JournalError("the journal is closed; use its campaigns inside its 'async with' block.")
        if self._process != os.getpid():
            raise JournalError("the journal was opened before this process was forked; open it again in this process.")
        job = _Job(work, alone, _loop_runner())
        self._jobs.put(cast("_Job[object]", job))
        await job.done.wait()
        if job.error is not None:
            raise self.database.explain(job.error)
        return cast("T", job.result)

    def defer(self, work: Work[None]) -> None:
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
            opening.finish()
            return
        opening.finish()
        while group := self._next_group():
            try:
                self.database.renew()
            except BaseException as error:  # noqa: BLE001 - raised by `run`
                for job in group:
                    job.error = error
            else:
                _execute(self.database, group, self._deferred)
            for job in group:
                job.finish()
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


def _execute(database: Database, group: list[_Job[object]], deferred: list[Work[None]]) -> None:
    together = [job for job in group if not job.alone]
    if not _commit(database, together, _try, deferred) and len(together) > 1:
        _commit(database, together, _try_in_savepoint, deferred)
    for job in group:
        if job.alone:
            _try(database.cursor(), job)


def _commit(
    database: Database,
    group: list[_Job[object]],
    attempt: Callable[[Cursor, _Job[object]], object],
    deferred: list[Work[None]],
) -> bool:
    """Run units in one transaction. Return False if a unit failed and the transaction was rolled back."""
    done = len(deferred)  # another thread may append meanwhile
    for job in group:
        job.error = None
    cursor = database.cursor()
    try:
        cursor.execute("BEGIN")
        for work in deferred[:done]:
            work(cursor)
        for job in group:
            if not attempt(cursor, job):
                cursor.execute("ROLLBACK")
                return False
        database.commit(cursor)
        del deferred[:done]
    except BaseException as error:  # noqa: BLE001 - raised by `run` for every unit
        with suppress(Exception):
            cursor.execute("ROLLBACK")
        for job in group:
            job.error = job.error or error
    return True


def _try(cursor: Cursor, job: _Job[object]) -> bool:
    try:
        job.result = job.work(cursor)
    except BaseException as error:  # noqa: BLE001 - raised by `run`
        job.error = error
        return False
    return True


def _try_in_savepoint(cursor: Cursor, job: _Job[object]) -> bool:
    cursor.execute("SAVEPOINT unit")
    if not _try(cursor, job):
        cursor.execute("ROLLBACK TO unit")  # fails if the database rolled back the transaction, as on a full disk
    cursor.execute("RELEASE unit")
    return True


def _nothing(_: Cursor) -> None:
    """Do nothing."""


def _loop_runner() -> Callable[[Callable[[], object]], object]:
    """Return a thread-safe function that schedules a callback in the current event loop."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - already imported in this case

        return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe
