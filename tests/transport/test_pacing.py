"""Waiting for one's turn: in order, never past a deadline, and without losing a permit to a cancellation."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest
import trio

from callsavvy_async.policy.pacer import Rate, Signal, SimplePacer, Ticket
from callsavvy_async.transport.pacing import Pacing, WaitTooLongError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return virtual_time


def ignore(_: float | None) -> None:
    """Do not care about waiting."""


async def work(pacing: Pacing, seconds: float, *, ends_at: float = math.inf) -> float:
    """Acquire, hold for some seconds, give back; returns when it started."""
    ticket = await pacing.acquire(ends_at, ignore)
    started = anyio.current_time()
    try:
        await anyio.sleep(seconds)
    finally:
        pacing.done(ticket, Signal.ADMITTED)
    return started


async def test_first_come_first_served() -> None:
    """Requests start in the order in which they came, whether the cap or the rate holds them back."""
    pacing = Pacing(SimplePacer(max_in_flight=2, rate=Rate(10.0)))
    order: list[int] = []

    async def one(number: int) -> None:
        ticket = await pacing.acquire(math.inf, ignore)
        order.append(number)
        await anyio.sleep(0.35)
        pacing.done(ticket, Signal.ADMITTED)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    assert order == sorted(order)
    assert len(order) == 12
    assert pacing.waiting == 0


async def test_nobody_overtakes_a_waiter() -> None:
    """A newcomer queues up behind those who wait, even when the pacer would let it start."""
    pacing = Pacing(SimplePacer(max_in_flight=1))
    order: list[str] = []

    async def one(name: str) -> None:
        ticket = await pacing.acquire(math.inf, ignore)
        order.append(name)
        pacing.done(ticket, Signal.ADMITTED)

    first = await pacing.acquire(math.inf, ignore)
    async with anyio.create_task_group() as group:
        group.start_soon(one, "waiter")
        await anyio.sleep(1)
        pacing.done(first, Signal.ADMITTED)  # the waiter is woken, but has not run yet
        await one("newcomer")
    assert order == ["waiter", "newcomer"]


async def test_the_rate_is_kept_to_the_tick() -> None:
    """Starts are 1/rate apart."""
    pacing = Pacing(SimplePacer(max_in_flight=100, rate=Rate(4.0)))
    began = anyio.current_time()
    starts = [await work(pacing, 0) - began for _ in range(5)]
    assert starts == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


async def test_a_deadline_is_seen_before_waiting() -> None:
    """A wait that is known to be too long is refused at once, and says how long it would be."""
    pacing = Pacing(SimplePacer(max_in_flight=1, rate=Rate(0.1)))
    await work(pacing, 0)
    began = anyio.current_time()
    with pytest.raises(WaitTooLongError) as caught:
        await pacing.acquire(began + 5, lambda _: pytest.fail("it must not wait"))
    assert anyio.current_time() == began
    assert caught.value.seconds == pytest.approx(10)
    assert pacing.waiting == 0


async def test_a_deadline_ends_a_wait_of_unknown_length() -> None:
    """Behind a full cap nobody knows how long it takes: it waits until the deadline, and then says so."""
    pacing = Pacing(SimplePacer(max_in_flight=1))
    ticket = await pacing.acquire(math.inf, ignore)
    began, waits = anyio.current_time(), list[float | None]()
    with pytest.raises(WaitTooLongError) as caught:
        await pacing.acquire(began + 5, waits.append)
    assert anyio.current_time() == pytest.approx(began + 5)
    assert caught.value.seconds is None
    assert waits == [None]
    pacing.done(ticket, Signal.NOTHING)
    assert await work(pacing, 0) == anyio.current_time()


async def test_a_deadline_in_the_queue() -> None:
    """One in the middle of the queue gives up at its own deadline; the others keep their order."""
    pacing = Pacing(SimplePacer(max_in_flight=1))
    began, starts, late = anyio.current_time(), list[float](), list[float]()

    async def one(ends_at: float) -> None:
        try:
            starts.append(await work(pacing, 2, ends_at=ends_at) - began)
        except WaitTooLongError:
            late.append(anyio.current_time() - began)

    async with anyio.create_task_group() as group:
        for ends_at in (math.inf, math.inf, began + 3, math.inf):
            group.start_soon(one, ends_at)
            await anyio.lowlevel.checkpoint()
    assert starts == pytest.approx([0, 2, 4])
    assert late == pytest.approx([3])


async def test_a_refusal_pauses_everybody() -> None:
    """One 429 shuts the gate for those who wait and those who come."""
    pacing = Pacing(SimplePacer(max_in_flight=8))
    ticket = await pacing.acquire(math.inf, ignore)
    assert pacing.done(ticket, Signal.REFUSED, 7.0) == pytest.approx(7)
    began, starts = anyio.current_time(), list[float]()

    async def one() -> None:
        starts.append(await work(pacing, 0) - began)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one)
    assert starts == pytest.approx([7] * 4)


async def test_waiting_is_told_once() -> None:
    """Who starts at once is told nothing; who waits is told once, with the seconds if they are known."""
    pacing = Pacing(SimplePacer(max_in_flight=9, rate=Rate(1.0)))
    waits: list[float | None] = []
    for _ in range(3):
        pacing.done(await pacing.acquire(math.inf, waits.append), Signal.ADMITTED)
    assert waits == [pytest.approx(1), pytest.approx(1)]


async def drive(pacer: SimplePacer, interrupt: Callable[[anyio.CancelScope], object], victim: int) -> None:
    """Run five requests, cancel one of them somewhere, and see that nothing is lost by it."""
    pacing = Pacing(pacer)
    scope = anyio.CancelScope()
    done: list[int] = []

    async def one(number: int) -> None:
        with scope if number == victim else anyio.CancelScope():
            await work(pacing, 1)
            done.append(number)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(one, number)
        await interrupt(scope)
    assert pacer.in_flight == 0, "a permit leaked"
    assert pacing.waiting == 0, "a place in the queue leaked"
    assert set(done) >= set(range(5)) - {victim}, "somebody was never woken"
    with anyio.fail_after(100):
        await work(pacing, 0)


@pytest.mark.parametrize("victim", range(5))
async def test_cancelled_at_any_time(victim: int) -> None:
    """Whenever one is cancelled, every permit comes back and everybody else gets their turn."""
    for moment in range(26):

        async def interrupt(scope: anyio.CancelScope, moment: int = moment) -> None:
            await anyio.sleep(moment / 4)
            scope.cancel()

        await drive(SimplePacer(max_in_flight=1), interrupt, victim)
        await drive(SimplePacer(max_in_flight=2, rate=Rate(2.0)), interrupt, victim)


@pytest.mark.parametrize("victim", range(5))
async def test_cancelled_at_any_step(victim: int) -> None:
    """The same at every single step of the event loop around the moment when a permit changes hands."""
    for start, steps in itertools.product((0.0, 1.0, 2.0), range(12)):

        async def interrupt(scope: anyio.CancelScope, start: float = start, steps: int = steps) -> None:
            await anyio.sleep(start)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        await drive(SimplePacer(max_in_flight=1), interrupt, victim)


async def test_the_repr_shows_the_state() -> None:
    """What is in flight and who waits can be read off the repr."""
    pacing = Pacing(SimplePacer(max_in_flight=3))
    ticket = await pacing.acquire(math.inf, ignore)
    assert isinstance(ticket, Ticket)
    assert "in_flight=1" in repr(pacing)
    assert "0 waiting" in repr(pacing)


RUNNERS: dict[str, Callable[..., float]] = {"asyncio": lambda main: asyncio.run(main()), "trio": trio.run}


@pytest.mark.parametrize("second", RUNNERS)
@pytest.mark.parametrize("first", RUNNERS)
def test_a_clock_that_starts_anew(first: str, second: str) -> None:
    """Every event loop starts its clock where it likes (trio's at random); a rate holds over all of them.

    The limit is so low that a second start would have to wait for an hour, were it not for the burst of two.
    """
    pacing = Pacing(SimplePacer(max_in_flight=9, rate=Rate(1 / 3600, burst=2)))

    async def start() -> float:
        pacing.done(await pacing.acquire(math.inf, ignore), Signal.ADMITTED)
        return 0.0

    async def wait() -> float:
        with pytest.raises(WaitTooLongError) as caught:
            await pacing.acquire(anyio.current_time() + 1, ignore)
        assert caught.value.seconds is not None
        return caught.value.seconds

    for run in (RUNNERS[first], RUNNERS[second]):
        run(start)
    for run in (RUNNERS[first], RUNNERS[second]):
        assert run(wait) == pytest.approx(3600, abs=60)
