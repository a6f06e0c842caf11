"""The journal's own thread: one connection, and a group of units of work to every commit.

Theory: a durable commit costs an fsync, some milliseconds however much it holds. So while one group is being committed,
the coroutines that want to write queue up, and the next commit takes all of them: the more there are, the larger the
group (group commit). Each unit stands in a savepoint, so that one that fails is undone alone. A unit's result is given
out after the commit, never before. Works with asyncio and trio: a coroutine waits for an event that its own loop sets.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar, cast

import anyio
import attrs
import sniffio

from callsavvy_async.campaigns.errors import JournalError

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Cursor], T]
"""A unit of work. It may be run again when its commit failed, so it changes nothing but the database."""

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
        connect: opens the connection, in that thread.
        explain: says what an error of the database means.
        guard: called once the connection is open; what it returns is called before every group, and keeps it from being
            carried out by raising.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        explain: Callable[[BaseException], BaseException],
        guard: Callable[[], Callable[[], object]],
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._guard = guard
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def open(self) -> None:
        """Start the thread and wait until the connection is open; raise what opening it raised."""
        self._closed = False
        opening = cast("_Job[object]", _Job(_nothing, alone=True, call_in_loop=_loop_caller()))
        self._thread = threading.Thread(target=self._run, args=(opening,), name="callsavvy-journal", daemon=True)
        self._thread.start()
        with anyio.CancelScope(shield=True):
            await opening.done.wait()
        if opening.error is not None:
            raise self._explain(opening.error)

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
        job = _Job(work, alone, _loop_caller())
        self._jobs.put(cast("_Job[object]", job))
        await job.done.wait()
        if job.error is not None:
            raise self._explain(job.error)
        return cast("T", job.result)

    async def close(self) -> None:
        """Finish what is queued, and close the connection."""
        self._closed = True
        self._jobs.put(None)
        if self._thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._thread.join)

    # ------------------------------------------------------------------------------------------------ in the thread

    def _run(self, opening: _Job[object]) -> None:
        try:
            connection = self._connect()
            check = self._guard()
        except BaseException as error:  # noqa: BLE001 - raised by `open`
            opening.error = error
            opening.finish()
            return
        opening.finish()
        while group := self._next_group():
            try:
                check()
            except BaseException as error:  # noqa: BLE001 - raised by `run`
                for job in group:
                    job.error = error
            else:
                _carry_out(connection, group)
            for job in group:
                job.finish()
        with suppress(sqlite3.Error):  # the last commit is long durable
            connection.close()

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


def _carry_out(connection: sqlite3.Connection, group: list[_Job[object]]) -> None:
    together = [job for job in group if not job.alone]
    try:
        connection.execute("BEGIN")
        cursor = connection.cursor()
        for job in together:
            _try(cursor, job)
        connection.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - of nobody in particular, so of everybody
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        for job in together:
            job.error = job.error or error
    for job in group:
        if job.alone:
            try:
                job.result = job.work(connection.cursor())
            except BaseException as error:  # noqa: BLE001 - raised by `run`
                job.error = error


def _try(cursor: sqlite3.Cursor, job: _Job[object]) -> None:
    cursor.execute("SAVEPOINT unit")
    try:
        job.result = job.work(cursor)
    except BaseException as error:  # noqa: BLE001 - raised by `run`
        job.error = error
        cursor.execute("ROLLBACK TO unit")  # fails when the whole transaction is undone already, as by a full disk
    cursor.execute("RELEASE unit")


def _nothing(_: sqlite3.Cursor) -> None:
    """Do nothing."""


def _loop_caller() -> Callable[[Callable[[], object]], object]:
    """Return what runs a function in the event loop that calls this, from any thread."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - only when it runs already

        return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe
