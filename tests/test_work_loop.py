"""The loop under outbox and inbox takes what there is, finishes what it took, and gives back the rest."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import attrs
import pytest

from callsavvy_async.work_loop import WorkLoop

pytestmark = pytest.mark.anyio


@attrs.frozen
class Row:
    name: str


class Table:
    """Rows in memory, and what a loop did with them."""

    def __init__(self, names: str) -> None:
        self.due = [Row(name) for name in names]
        self.handled = ""
        self.released = ""
        self.outage: Exception | None = None

    async def take(self, most: int) -> list[Row]:
        if self.outage:
            raise self.outage
        taken, self.due = self.due[:most], self.due[most:]
        return taken

    async def handle(self, row: Row) -> None:
        await anyio.lowlevel.checkpoint()
        self.handled += row.name

    async def release(self, row: Row) -> None:
        await anyio.lowlevel.checkpoint()
        self.released += row.name
        if self.outage:
            raise self.outage

    def loop(
        self, handle: Callable[[Row], Awaitable[object]] | None = None, *, most: int = 2, poll: float = 60.0
    ) -> WorkLoop[Row]:
        return WorkLoop(self.take, handle or self.handle, self.release, most=most, poll=poll)


async def test_it_ends_when_nothing_is_left() -> None:
    """Each row is handled once, no more than `most` at a time, and none waits for the next poll."""
    table, at_once = Table("abcde"), []

    async def handle(row: Row) -> None:
        at_once.append(len(loop.taken))
        await table.handle(row)

    loop = table.loop(handle)
    await loop.run(forever=False)
    assert (sorted(table.handled), table.released, max(at_once)) == ([*"abcde"], "", 2)


async def test_a_row_that_waits_for_one_at_hand_is_taken_after_it() -> None:
    """Also if that one ends while a take, which could not see the waiting row yet, is under way."""
    table, second_take, waiting = Table("a"), anyio.Event(), [Row("b")]

    async def take(most: int) -> list[Row]:
        rows = await table.take(most)
        if loop.taken:
            second_take.set()
            await anyio.wait_all_tasks_blocked()
        return rows

    async def handle(row: Row) -> None:
        await second_take.wait()
        await table.handle(row)
        table.due, waiting[:] = [*waiting], []

    loop = WorkLoop(take, handle, table.release, most=2, poll=0.01)
    await loop.run(forever=False)
    assert table.handled == "ab"


async def test_a_row_taken_again_while_its_last_attempt_ends_is_handled() -> None:
    """It would belong to this process for ever, since nobody else takes what a living process holds."""
    table, taken_again = Table("a"), anyio.Event()

    async def handle(row: Row) -> None:
        await table.handle(row)
        if table.handled == "a":
            table.due.append(Row("a"))  # another connection to the database can see it already
            loop.wake()
            await taken_again.wait()
        taken_again.set()

    loop = table.loop(handle)
    await loop.run(forever=False)
    assert (table.handled, table.released, [*loop.taken]) == ("aa", "", [])


async def test_an_error_stops_it_after_the_others_are_finished() -> None:
    """The error of one does not cancel another; `run` raises the first outside of a group; their rows are given back."""
    table, failed = Table("abc"), anyio.Event()

    async def handle(row: Row) -> None:
        if row.name == "b":
            failed.set()
            raise LookupError(row.name)
        await failed.wait()
        await table.handle(row)
        raise LookupError(row.name)

    with pytest.raises(LookupError, match="b"):
        await table.loop(handle).run()
    assert (table.handled, table.released, table.due) == ("a", "ab", [Row("c")])


async def test_an_outage_of_the_table_is_raised_after_the_others_are_finished() -> None:
    """The loop does not go on without its table, and what is in progress is finished."""
    table = Table("a")

    async def handle(row: Row) -> None:
        table.outage = ConnectionError("gone")
        loop.wake()
        await anyio.wait_all_tasks_blocked()
        await table.handle(row)

    loop = table.loop(handle)
    with pytest.raises(ConnectionError):
        await loop.run()
    assert (table.handled, table.released) == ("a", "")


async def test_a_stop_waits_for_what_is_in_progress_as_long_as_it_may() -> None:
    """What is not finished in time is cancelled and given back, and what is due stays."""
    table, started = Table("abc"), anyio.Event()

    async def handle(row: Row) -> None:
        if row.name == "b":
            started.set()
            await anyio.sleep_forever()
        await started.wait()
        await table.handle(row)

    loop = table.loop(handle)
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run)
        await started.wait()
        loop.stop(within=0.05)
    assert (table.handled, table.released, table.due) == ("a", "b", [Row("c")])


async def test_cancelling_gives_everything_back() -> None:
    """Others take the rows then. One that cannot be given back does not keep the next from it."""
    table, started = Table("ab"), anyio.Event()

    async def handle(row: Row) -> None:
        if row.name == "b":
            started.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(table.loop(handle).run)
        await started.wait()
        table.outage = ConnectionError("gone")
        group.cancel_scope.cancel()
    assert table.released == "ab"


async def test_a_pause_is_kept_whatever_wakes_it() -> None:
    """During a pause neither a wake nor a finished row brings the next take forward; a stop ends it."""
    table = Table("ab")

    async def handle(row: Row) -> None:
        await table.handle(row)
        loop.pause = 60.0
        loop.wake()

    loop = table.loop(handle, most=1)
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run)
        while loop.taken or not table.handled:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        assert (table.handled, table.due) == ("a", [Row("b")])
        loop.stop()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_signal_handler_of_the_event_loop_may_stop_it() -> None:
    """`loop.add_signal_handler(SIGTERM, worker.stop)` below `asyncio.run`: a callback, outside of any task."""
    table, errors, event_loop = Table("a"), [], asyncio.get_running_loop()
    event_loop.set_exception_handler(lambda _, context: errors.append(context))

    async def handle(row: Row) -> None:
        event_loop.call_soon(loop.stop, context=contextvars.Context())
        await table.handle(row)

    loop = table.loop(handle)
    await loop.run()
    assert (table.handled, errors) == ("a", [])
