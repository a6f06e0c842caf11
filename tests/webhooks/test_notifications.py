"""Notifications: acknowledged first, worked off afterwards, bounded, drained."""

from __future__ import annotations

import asyncio
import logging

import anyio
import pytest

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks import CallSummary, Notification, Reply, TicketEscalated, Webhooks

pytestmark = pytest.mark.anyio


async def post(hooks: Webhooks, number: int = 0, event: str = "callSummary") -> Reply:
    return await hooks.handle(token="", body=b'{"event": "%s", "call_department": "%d"}' % (event.encode(), number))


class Gate:
    """A handler that waits until it is let through."""

    def __init__(self, hooks: Webhooks) -> None:
        self.begun: list[str | None] = []
        self.done: list[str | None] = []
        self.open = anyio.Event()
        hooks.on(CallSummary)(self.handle)

    async def handle(self, event: CallSummary) -> None:
        self.begun.append(event.department_id)
        await self.open.wait()
        self.done.append(event.department_id)


async def test_acknowledged_before_it_is_handled() -> None:
    """The sender has its answer while the handler still works."""
    hooks = Webhooks(insecure=True)
    gate = Gate(hooks)
    async with hooks:
        assert (await post(hooks)).status == 200
        assert not gate.done
        gate.open.set()
    assert gate.done == ["0"]


async def test_overload_is_refused_and_forgotten_by_deduplication() -> None:
    """With all workers busy and the queue full: 503 with Retry-After; later the same event is let in."""
    hooks = Webhooks(insecure=True, concurrency=2, queue_size=3, duplicate_window=60)
    gate = Gate(hooks)
    async with hooks:
        for number in range(2):
            assert (await post(hooks, number)).status == 200
        await anyio.wait_all_tasks_blocked()
        assert [(await post(hooks, number)).status for number in range(2, 6)] == [200, 200, 200, 503]
        assert dict((await post(hooks, 5)).headers)["retry-after"] == "5"
        gate.open.set()
        await anyio.wait_all_tasks_blocked()
        assert (await post(hooks, 5)).status == 200
    assert sorted(number or "" for number in gate.done) == ["0", "1", "2", "3", "4", "5"]


async def test_a_handler_that_hangs_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and gives its worker back: the event's next handler runs, and the next event is handled."""
    hooks = Webhooks(insecure=True, concurrency=1, handler_timeout=0.01)
    gate = Gate(hooks)  # never opened
    handled: list[str | None] = []

    @hooks.on(CallSummary)
    async def second(event: CallSummary) -> None:
        handled.append(event.department_id)

    async with hooks:
        await post(hooks, 1)
        await post(hooks, 2)
    assert gate.begun == handled == ["1", "2"]
    assert not gate.done
    assert caplog.text.count("TimeoutError") == 2


async def test_handlers_begin_in_order() -> None:
    """First come, first served."""
    hooks = Webhooks(insecure=True, concurrency=1)
    gate = Gate(hooks)
    gate.open.set()
    async with hooks:
        for number in range(20):
            await post(hooks, number)
    assert gate.begun == [str(number) for number in range(20)]


async def test_a_burst_of_quick_handlers_is_no_overload() -> None:
    """Quick handlers finish in one turn of the event loop whatever arrived in one, however small the concurrency."""
    hooks = Webhooks(insecure=True, concurrency=1, queue_size=50)
    seen: list[CallSummary] = []

    @hooks.on(CallSummary)
    async def quick(event: CallSummary) -> None:
        seen.append(event)

    async with hooks:
        for turn in range(20):
            assert {(await post(hooks, number)).status for number in range(50)} == {200}
            await anyio.wait_all_tasks_blocked()
            assert len(seen) == 50 * (turn + 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_workers_stay() -> None:
    """A notification that finds an idle worker starts no task, and each is worked off."""
    hooks = Webhooks(insecure=True)
    gate = Gate(hooks)
    gate.open.set()
    async with hooks:
        await post(hooks)
        await anyio.wait_all_tasks_blocked()
        tasks = asyncio.all_tasks()
        for number in range(1, 8):
            await post(hooks, number)
            await anyio.wait_all_tasks_blocked()
            assert asyncio.all_tasks() == tasks
            assert len(gate.done) == number + 1


async def test_concurrency_is_bounded() -> None:
    """No more handlers run at a time than `concurrency`."""
    hooks = Webhooks(insecure=True, concurrency=2)
    gate = Gate(hooks)
    async with hooks:
        for number in range(10):
            await post(hooks, number)
        await anyio.wait_all_tasks_blocked()
        assert len(gate.begun) == 2
        gate.open.set()
    assert len(gate.done) == 10


async def test_shutdown_drains_and_refuses() -> None:
    """During a shutdown what was acknowledged is worked off and nothing new is taken."""
    hooks = Webhooks(insecure=True, concurrency=1)
    gate = Gate(hooks)
    during: list[int] = []

    async def late() -> None:
        await anyio.wait_all_tasks_blocked()
        during.append((await post(hooks, 9)).status)
        gate.open.set()

    async with anyio.create_task_group() as tasks, hooks:
        for number in range(3):
            await post(hooks, number)
        tasks.start_soon(late)
    assert during == [503]
    assert gate.done == ["0", "1", "2"]


async def test_drain_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that never ends does not hold the shutdown; what is lost is counted in the log."""
    hooks = Webhooks(insecure=True, concurrency=1, drain_timeout=0.05)
    gate = Gate(hooks)
    with anyio.fail_after(60):
        async with hooks:
            for number in range(3):
                await post(hooks, number)
            await anyio.wait_all_tasks_blocked()
    assert not gate.done
    [record] = caplog.records
    assert "3 acknowledged notifications were lost" in record.getMessage()


async def test_works_again_after_a_restart() -> None:
    """Webhooks can be entered again after they were left."""
    hooks = Webhooks(insecure=True)
    gate = Gate(hooks)
    gate.open.set()
    for number in range(2):
        async with hooks:
            await post(hooks, number)
    assert gate.done == ["0", "1"]


async def test_entering_twice_is_an_error() -> None:
    """Two lifespans for one set of webhooks are a mistake in the wiring, and told as that."""
    hooks = Webhooks(insecure=True)
    async with hooks:
        with pytest.raises(ConfigurationError, match="already running"):
            await hooks.__aenter__()
        assert (await post(hooks)).status == 200


async def test_without_lifespan_handled_before_acknowledged() -> None:
    """Where nothing outlives a request (a function service), the handler has run when the answer is there."""
    hooks = Webhooks(insecure=True)
    gate = Gate(hooks)
    gate.open.set()
    assert (await post(hooks)).status == 200
    assert gate.done == ["0"]


@pytest.mark.parametrize("error", [ValueError("+2348012345678"), asyncio.CancelledError("+2348012345678")], ids=repr)
async def test_every_handler_runs_whatever_the_others_do(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Handlers of one event run in order; one that fails is logged without personal data and stops no other.

    Also one that awaits what somebody else cancelled: that cancellation was not meant for the queue.
    """
    hooks = Webhooks(insecure=True)
    ran: list[str] = []

    async def first(event: Notification) -> None:
        ran.append("first")
        raise error

    async def second(event: Notification) -> None:
        ran.append("second")

    hooks.on(CallSummary)(first)
    hooks.on(CallSummary)(second)
    assert (await post(hooks)).status == 200
    assert ran == ["first", "second"]
    [record] = caplog.records
    assert type(error).__name__ in record.getMessage()
    assert "test_notifications.py" in record.getMessage()
    assert "+234" not in caplog.text


@pytest.mark.parametrize(("verdict", "level"), [(True, None), (False, logging.WARNING), (None, logging.ERROR)])
async def test_unconfirmed_events_are_not_acted_on(
    verdict: bool | None, level: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler with `confirm` runs only after it returned True; False and an error keep it from running."""
    hooks = Webhooks(insecure=True)
    ran: list[str] = []

    async def confirm(event: TicketEscalated) -> bool:
        if verdict is None:
            raise LookupError("ada@example.com")
        return verdict

    @hooks.on(TicketEscalated, confirm=confirm)
    async def sensitive(event: TicketEscalated) -> None:
        ran.append("sensitive")

    @hooks.on(TicketEscalated)
    async def harmless(event: TicketEscalated) -> None:
        ran.append("harmless")

    assert (await post(hooks, event="ticketEscalated")).status == 200
    assert ran == (["sensitive", "harmless"] if verdict else ["harmless"])
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])
    assert "ada@" not in caplog.text
