"""The journal's thread: what it commits together, what it isolates, what it says when it fails."""

from __future__ import annotations

import sqlite3
import threading
import time

import anyio
import pytest

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import writer as writer_module
from callsavvy_async.campaigns.journal.writer import Writer

pytestmark = pytest.mark.anyio


class Boom(Exception):
    pass


class File:
    """A database of one table; it renews its connection when it was lost."""

    def __init__(self, path) -> None:
        self.path = path
        self.opened = 0

    def open(self) -> None:
        self.opened += 1
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER UNIQUE)")

    def renew(self) -> None:
        pass

    takes_turns = False

    def cursor(self) -> sqlite3.Cursor:
        return self.connection.cursor()

    def commit(self, cursor: sqlite3.Cursor) -> None:
        cursor.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()

    def explain(self, error):
        return error


class Unopened(File):
    def open(self) -> None:
        raise Boom


@pytest.fixture
async def writer(anyio_backend, tmp_path):
    opened = Writer(File(tmp_path / "w.db"))
    await opened.open()
    yield opened
    await opened.close()


def insert(x):
    return lambda cursor: cursor.execute("INSERT INTO t VALUES (?)", (x,)).rowcount


async def count(writer: Writer) -> int:
    return await writer.run(lambda cursor: cursor.execute("SELECT count(*) FROM t").fetchone()[0])


async def test_many_units_share_commits(writer):
    """A thousand coroutines need far fewer commits than units."""
    commits = 0

    def trace(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    await writer.run(lambda cursor: cursor.connection.set_trace_callback(trace))
    async with anyio.create_task_group() as group:
        for x in range(1000):
            group.start_soon(writer.run, insert(x))
    assert await count(writer) == 1000
    assert commits < 200


async def test_a_group_has_a_largest_size(writer, monkeypatch):
    """However many wait, a commit takes so many and the next one the others: nobody waits for all."""
    monkeypatch.setattr(writer_module, "LARGEST_GROUP", 2)
    entered, release = threading.Event(), threading.Event()

    def block(cursor: object) -> None:
        entered.set()
        release.wait(10)

    async with anyio.create_task_group() as group:
        group.start_soon(writer.run, block)
        await anyio.to_thread.run_sync(entered.wait)
        for x in range(5):
            group.start_soon(writer.run, insert(x))
        await anyio.wait_all_tasks_blocked()
        release.set()
    assert await count(writer) == 5


async def test_a_failing_unit_is_undone_alone(writer):
    """Its neighbours in the group are committed; it raises what it raised."""
    failed = []

    async def insert_twice(x):
        def work(cursor):
            insert(x)(cursor)
            raise Boom

        try:
            await writer.run(work)
        except Boom:
            failed.append(x)

    async with anyio.create_task_group() as group:
        for x in range(20):
            group.start_soon(insert_twice if x % 2 else (lambda x: writer.run(insert(x))), x)
    assert sorted(failed) == list(range(1, 20, 2))
    assert await count(writer) == 10


async def test_a_unit_without_its_transaction_fails_its_group(writer):
    """When the database undoes the whole transaction, as it may on a full disk, nobody is told that it was written."""

    def unsent(cursor):
        cursor.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        await writer.run(unsent)
    await writer.run(insert(1))
    assert await count(writer) == 1


async def test_alone_means_outside_of_a_transaction(writer):
    """VACUUM works alone, and its failure is its caller's."""
    await writer.run(lambda cursor: cursor.execute("VACUUM"), alone=True)
    with pytest.raises(sqlite3.OperationalError):
        await writer.run(lambda cursor: cursor.execute("VACUUM"))
    with pytest.raises(Boom):
        await writer.run(_boom, alone=True)


def _boom(_):
    raise Boom


async def test_what_was_cancelled_is_done_all_the_same(writer):
    """A unit that was handed over is not taken back."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await writer.run(insert(1))
    assert await count(writer) == 1


async def test_closing_finishes_what_is_queued(writer, tmp_path):
    """What was handed over before is committed, and then the connection is closed."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await writer.run(lambda cursor: time.sleep(0.1))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await writer.run(insert(1))
    await writer.close()
    connection = sqlite3.connect(tmp_path / "w.db")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    connection.close()


async def test_a_closed_writer_says_so(writer):
    """Whoever comes too late is told, and does not wait for a thread that has ended."""
    await writer.close()
    with anyio.fail_after(60), pytest.raises(JournalError, match="closed"):
        await count(writer)


async def test_failing_to_open_is_raised():
    """The error of the thread comes to whoever opens; closing is harmless then."""
    writer = Writer(Unopened(""))
    with pytest.raises(Boom):
        await writer.open()
    await writer.close()
    await Writer(Unopened("")).close()


def test_a_loop_that_is_gone_is_not_waited_for(tmp_path):
    """A unit whose event loop ended before its commit harms nobody."""
    for backend in ("asyncio", "trio"):
        writer = Writer(File(tmp_path / "w.db"))

        async def leave(writer=writer):
            await writer.open()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await writer.run(lambda cursor: time.sleep(0.2))

        anyio.run(leave, backend=backend)
        anyio.run(writer.close)
        assert not writer._thread.is_alive()


async def test_a_child_does_not_write(writer, monkeypatch):
    """A forked child has no thread that would write."""
    monkeypatch.setattr(writer, "_process", -1)
    with pytest.raises(JournalError, match="before this process was forked"):
        await writer.run(lambda cursor: None)
    monkeypatch.undo()


async def test_one_callback_wakes_all_that_wait_in_one_event_loop(writer, monkeypatch):
    """Each callback from the writer's thread costs the event loop a system call, so a group of units has one."""
    wakes = []
    monkeypatch.setattr(writer_module, "reach", lambda call_soon, callback: wakes.append(call_soon(callback)))
    release = threading.Event()

    def wait(cursor, items):
        release.wait(10)
        return items

    async with anyio.create_task_group() as group:
        group.start_soon(writer.run_combined, wait, 0)
        await anyio.wait_all_tasks_blocked()
        for number in range(20):
            group.start_soon(writer.run_combined, wait, number)
        await anyio.wait_all_tasks_blocked()
        release.set()
    assert len(wakes) <= 2 + 1
