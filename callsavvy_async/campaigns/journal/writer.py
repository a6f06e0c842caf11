"""The journal's own thread: one connection, and a group of units of work to every commit.

Theory: a durable commit costs an fsync, some milliseconds however much it holds. So while one group is being committed,
the coroutines that want to write queue up, and the next commit takes all of them: the more there are, the larger the
group (group commit). The units of a group run one after the other in one transaction. When one of them fails they all run
again, each in a savepoint, so that it is unsent alone; failing is rare, and a savepoint costs more than the statement in
it. A unit's result is given out after the commit, never before. Works with asyncio and trio: a coroutine waits for an
event that its own loop sets.

When the connection breaks off, the group that was under way fails, and the next one connects again. Whether a COMMIT took
place whose answer never came, nobody can tell. So a unit that is tried again (`patience.py`) has to recognise what it did
before, and each says how.
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
"""A unit of work. It may be run again when its transaction failed, so it changes nothing but the database."""

LARGEST_GROUP = 512


@attrs.define(eq=False)
class _Job(Generic[T]):
    """A unit of work on its way through the thread."""

    work: Work[T]
    alone: bool
    call_in_loop: Callable[[Callable[[], object]], object]
    done: anyio.Event = attrs.field(factory=anyio.Event)
    result: T | None = None
    error: BaseException | None = None

    def finish(self) -> None:
        """Wake its coroutine, if its event loop still runs."""
        with suppress(RuntimeError):
            self.call_in_loop(self.done.set)


class Writer:
    """Runs units of work, one group after the other, in one thread.

    Args:
        database: where the journal lies; it is used in that thread only.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._process = os.getpid()
        self._owed: list[Work[None]] = []

    async def open(self) -> None:
        """Start the thread and wait until the connection is open; raise what opening it raised."""
        self._closed, self._process = False, os.getpid()
        opening = cast("_Job[object]", _Job(_nothing, alone=True, call_in_loop=_loop_caller()))
        self._thread = threading.Thread(target=self._run, args=(opening,), name="callsavvy-journal", daemon=True)
        self._thread.start()
        with anyio.CancelScope(shield=True):
            await opening.done.wait()
        if opening.error is not None:
            raise self.database.explain(opening.error)

    async def run(self, work: Work[T], *, alone: bool = False) -> T:
        """Run a unit of work and return its result once it is durable.

        Args:
            work: what to do. When this is cancelled it is done all the same.
            alone: outside of any transaction, as VACUUM must be.

        Raises:
            JournalError: as `explain` says, or it was closed; nothing of the unit is in the database.
            Exception: what the work raised.
        """
        if self._closed:
            raise JournalError("the journal was closed; use its campaigns inside its 'async with' block.")
        if self._process != os.getpid():
            raise JournalError("the journal was opened before this process was forked; open it anew here.")
        job = _Job(work, alone, _loop_caller())
        self._jobs.put(cast("_Job[object]", job))
        await job.done.wait()
        if job.error is not None:
            raise self.database.explain(job.error)
        return cast("T", job.result)

    def owe(self, work: Work[None]) -> None:
        """Do a unit of work before the next that is asked for: the journal is away, and nobody waits for this one."""
        self._owed.append(work)

    async def close(self) -> None:
        """Finish what is queued, and close the connection."""
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
                _carry_out(self.database, group, self._owed)
            for job in group:
                job.finish()
        self.database.close()

    def _next_group(self) -> list[_Job[object]]:
        """Wait for a job, and take those that came with it; none when the writer is closed."""
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


def _carry_out(database: Database, group: list[_Job[object]], owed: list[Work[None]]) -> None:
    together = [job for job in group if not job.alone]
    if not _commit(database, together, _try, owed) and len(together) > 1:
        _commit(database, together, _try_in_savepoint, owed)
    for job in group:
        if job.alone:
            _try(database.cursor(), job)


def _commit(
    database: Database,
    group: list[_Job[object]],
    attempt: Callable[[Cursor, _Job[object]], object],
    owed: list[Work[None]],
) -> bool:
    """Run units in one transaction; False when the first attempt at one failed, and all are unsent."""
    done = len(owed)  # more may be owed meanwhile
    for job in group:
        job.error = None
    cursor = database.cursor()
    try:
        cursor.execute("BEGIN")
        for work in owed[:done]:
            work(cursor)
        for job in group:
            if not attempt(cursor, job):
                cursor.execute("ROLLBACK")
                return False
        database.commit(cursor)
        del owed[:done]
    except BaseException as error:  # noqa: BLE001 - of nobody in particular, so of everybody
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
        cursor.execute("ROLLBACK TO unit")  # fails when the whole transaction is unsent already, as by a full disk
    cursor.execute("RELEASE unit")
    return True


def _nothing(_: Cursor) -> None:
    """Do nothing."""


def _loop_caller() -> Callable[[Callable[[], object]], object]:
    """Return what runs a function in the event loop that calls this, from any thread."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - only when it runs already

        return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe
