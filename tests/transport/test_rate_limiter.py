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

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import FixedRate, Unlimited
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(quick_virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return quick_virtual_time


def ignore(_seconds: float | None, _why: str, _ahead: int) -> None:
    """Do not care about waiting."""


async def work(limiter: RateLimiter, seconds: float, *, ends_at: float = math.inf, bulk: bool = False) -> float:
    """Acquire, hold for some seconds, give back; returns when it started."""
    permit = await limiter.acquire(ends_at, ignore, bulk=bulk)
    started = current_time()
    try:
        await anyio.sleep(seconds)
    finally:
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())
    return started


async def test_first_come_first_served() -> None:
    """Requests start in the order in which they came, whether the cap or the rate holds them back."""
    limiter = RateLimiter(FixedRate(10.0, max_in_flight=2))
    order: list[int] = []

    async def one(number: int) -> None:
        permit = await limiter.acquire(math.inf, ignore)
        order.append(number)
        await anyio.sleep(0.35)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    assert order == sorted(order)
    assert len(order) == 12
    assert limiter.waiting == 0


async def test_nobody_overtakes_a_waiter() -> None:
    """A newcomer queues up behind those who wait, even when the pacer would let it start."""
    limiter = RateLimiter(Unlimited(max_in_flight=1))
    order: list[str] = []

    async def one(name: str) -> None:
        permit = await limiter.acquire(math.inf, ignore)
        order.append(name)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    first = await limiter.acquire(math.inf, ignore)
    async with anyio.create_task_group() as group:
        group.start_soon(one, "waiter")
        await anyio.sleep(1)
        limiter.done(first, Feedback(Signal.ADMITTED), current_time())  # the waiter is woken, but has not run yet
        await one("newcomer")
    assert order == ["waiter", "newcomer"]


async def test_the_rate_is_kept_to_the_tick() -> None:
    """Starts are 1/rate apart."""
    limiter = RateLimiter(FixedRate(4.0, max_in_flight=100))
    began = current_time()
    starts = [await work(limiter, 0) - began for _ in range(5)]
    assert starts == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


async def test_a_deadline_is_seen_before_waiting() -> None:
    """A wait that is known to be too long is refused at once, and says how long it would be."""
    limiter = RateLimiter(FixedRate(0.1, max_in_flight=1))
    await work(limiter, 0)
    began = current_time()
    with pytest.raises(WaitTooLongError) as caught:
        await limiter.acquire(began + 5, lambda *_: pytest.fail("it must not wait"))
    assert current_time() == began
    assert caught.value.seconds == pytest.approx(10)
    assert limiter.waiting == 0


async def test_a_deadline_ends_a_wait_of_unknown_length() -> None:
    """Behind a full cap nobody knows how long it takes: it waits until the deadline, and then says so."""
    limiter = RateLimiter(Unlimited(max_in_flight=1))
    permit = await limiter.acquire(math.inf, ignore)
    began, waits = current_time(), list[tuple[float | None, str, int]]()
    with pytest.raises(WaitTooLongError) as caught:
        await limiter.acquire(began + 5, lambda *wait: waits.append(wait))
    assert current_time() == pytest.approx(began + 5)
    assert caught.value.seconds is None
    assert waits == [(None, "in flight", 0)]
    limiter.done(permit, Feedback(Signal.NOTHING), current_time())
    assert await work(limiter, 0) == current_time()


async def test_a_deadline_in_the_queue() -> None:
    """One in the middle of the queue gives up at its own deadline; the others keep their order."""
    limiter = RateLimiter(Unlimited(max_in_flight=1))
    began, starts, late = current_time(), list[float](), list[float]()

    async def one(ends_at: float) -> None:
        try:
            starts.append(await work(limiter, 2, ends_at=ends_at) - began)
        except WaitTooLongError:
            late.append(current_time() - began)

    async with anyio.create_task_group() as group:
        for ends_at in (math.inf, math.inf, began + 3, math.inf):
            group.start_soon(one, ends_at)
            await anyio.lowlevel.checkpoint()
    assert starts == pytest.approx([0, 2, 4])
    assert late == pytest.approx([3])


async def test_a_refusal_pauses_everybody() -> None:
    """One 429 shuts the gate for those who wait and those who come."""
    limiter = RateLimiter(Unlimited(max_in_flight=8))
    permit = await limiter.acquire(math.inf, ignore)
    limiter.done(permit, Feedback(Signal.RATE_LIMITED, 7.0), current_time())
    assert limiter.snapshot().shut_for == pytest.approx(7)
    began, starts = current_time(), list[float]()

    async def one() -> None:
        starts.append(await work(limiter, 0) - began)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one)
    assert starts == pytest.approx([7] * 4)


async def test_waiting_is_told_once() -> None:
    """Who starts at once is told nothing; who waits is told once, with the reason and the seconds if they are known."""
    limiter = RateLimiter(FixedRate(1.0, max_in_flight=9))
    waits: list[tuple[float | None, str, int]] = []
    for _ in range(3):
        limiter.done(
            await limiter.acquire(math.inf, lambda *wait: waits.append(wait)), Feedback(Signal.ADMITTED), current_time()
        )
    assert waits == [(pytest.approx(1), "fixed rate", 0)] * 2


async def drive(pacer: Pacer, interrupt: Callable[[anyio.CancelScope], object], victim: int) -> None:
    """Run five requests, cancel one of them somewhere, and see that nothing is lost by it."""
    limiter = RateLimiter(pacer)
    scope = anyio.CancelScope()
    done: list[int] = []

    async def one(number: int) -> None:
        with scope if number == victim else anyio.CancelScope():
            await work(limiter, 1, bulk=number % 2 == 0)
            done.append(number)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(one, number)
        await interrupt(scope)
    assert limiter.snapshot().in_flight == 0, "a permit leaked"
    assert limiter.waiting == 0, "a place in the queue leaked"
    assert set(done) >= set(range(5)) - {victim}, "somebody was never woken"
    with anyio.fail_after(100):
        await work(limiter, 0)


@pytest.mark.parametrize("victim", range(5))
async def test_cancelled_at_any_time(victim: int) -> None:
    """Whenever one is cancelled, every permit comes back and everybody else gets their turn."""
    for moment in range(26):

        async def interrupt(scope: anyio.CancelScope, moment: int = moment) -> None:
            await anyio.sleep(moment / 4)
            scope.cancel()

        await drive(Unlimited(max_in_flight=1), interrupt, victim)
        await drive(FixedRate(2.0, max_in_flight=2), interrupt, victim)
        await drive(Adaptive(max_in_flight=2), interrupt, victim)


@pytest.mark.parametrize("victim", range(5))
async def test_cancelled_at_any_step(victim: int) -> None:
    """The same at every single step of the event loop around the moment when a permit changes hands."""
    for start, steps in itertools.product((0.0, 1.0, 2.0), range(12)):

        async def interrupt(scope: anyio.CancelScope, start: float = start, steps: int = steps) -> None:
            await anyio.sleep(start)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        await drive(Unlimited(max_in_flight=1), interrupt, victim)


async def test_the_repr_shows_the_state() -> None:
    """What is in flight and who waits can be read off the repr."""
    limiter = RateLimiter(Unlimited(max_in_flight=3))
    permit = await limiter.acquire(math.inf, ignore)
    assert isinstance(permit, Permit)
    assert repr(limiter) == "<Unlimited: no rate (no limit), 1 of 3 in flight, 0 waiting>"
    assert repr(RateLimiter(FixedRate("90/min"))) == "<FixedRate: 1.5/s (fixed rate), 0 of 64 in flight, 0 waiting>"


async def start_all(limiter: RateLimiter, kinds: str) -> str:
    """Queue up one request per letter, "b" for bulk, and return the letters in the order in which they started."""
    order: list[str] = []

    async def one(kind: str) -> None:
        permit = await limiter.acquire(math.inf, ignore, bulk=kind == "b")
        order.append(kind)
        await anyio.sleep(1)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    async with anyio.create_task_group() as group:
        for kind in kinds:
            group.start_soon(one, kind)
            await anyio.lowlevel.checkpoint()
    return "".join(order)


@pytest.mark.parametrize(
    "make", [lambda: Unlimited(max_in_flight=1), lambda: FixedRate(2.0), lambda: Adaptive(max_in_flight=1)]
)
async def test_interactive_requests_go_first(make: Callable[[], Pacer]) -> None:
    """A single call passes a waiting bulk, but after four in a row one of the bulk goes: nobody starves."""
    assert await start_all(RateLimiter(make()), "b" * 6 + "i" * 10) == "b" + "iiiib" * 2 + "iib" + "b" * 2


async def test_a_request_that_was_refused_keeps_its_place() -> None:
    """It goes before all who wait, and of several that were refused the oldest goes first."""
    limiter, order = RateLimiter(Unlimited(max_in_flight=1)), list[str]()

    async def one(name: str, since: float | None = None) -> None:
        permit = await limiter.acquire(math.inf, ignore, since=since)
        order.append(name)
        await anyio.sleep(1)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    async with anyio.create_task_group() as group:
        for name, since in (("first", None), ("newcomer", None), ("younger", 2.0), ("older", 1.0), ("last", None)):
            group.start_soon(one, name, since)
            await anyio.lowlevel.checkpoint()
    assert order == ["first", "older", "younger", "newcomer", "last"]


async def test_a_request_that_was_refused_may_leave() -> None:
    """Its place is not given to anybody, and the time is kept by somebody else."""
    limiter = RateLimiter(Unlimited(max_in_flight=1))
    permit = await limiter.acquire(math.inf, ignore)
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(1):
            await limiter.acquire(math.inf, ignore, since=1.0)
        group.start_soon(limiter.acquire, math.inf, ignore)
        await anyio.sleep(1)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())
    assert limiter.waiting == 0


async def test_a_long_bulk_does_not_hold_up_single_calls() -> None:
    """Behind a bulk of thousands a single call waits for one turn only."""
    limiter, waited = RateLimiter(FixedRate(10.0, max_in_flight=100)), list[float]()

    async def bulk_worker() -> None:
        for _ in range(100):
            limiter.done(await limiter.acquire(math.inf, ignore, bulk=True), Feedback(Signal.ADMITTED), current_time())

    async def single_calls() -> None:
        for _ in range(50):
            await anyio.sleep(1.0)
            began = current_time()
            limiter.done(await limiter.acquire(math.inf, ignore), Feedback(Signal.ADMITTED), current_time())
            waited.append(current_time() - began)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(bulk_worker)
        group.start_soon(single_calls)
    assert max(waited) <= 0.1 + 1e-9


RUNNERS: dict[str, Callable[..., float]] = {"asyncio": lambda main: asyncio.run(main()), "trio": trio.run}


@pytest.mark.parametrize("second", RUNNERS)
@pytest.mark.parametrize("first", RUNNERS)
def test_a_clock_that_starts_anew(first: str, second: str) -> None:
    """Every event loop starts its clock where it likes (trio's at random); a rate holds over all of them.

    The limit is so low that a second start would have to wait for an hour, were it not for the burst of two.
    """
    limiter = RateLimiter(FixedRate(1 / 3600, burst=2, max_in_flight=9))

    async def start() -> float:
        limiter.done(await limiter.acquire(math.inf, ignore), Feedback(Signal.ADMITTED), current_time())
        return 0.0

    async def wait() -> float:
        with pytest.raises(WaitTooLongError) as caught:
            await limiter.acquire(current_time() + 1, ignore)
        assert caught.value.seconds is not None
        return caught.value.seconds

    for run in (RUNNERS[first], RUNNERS[second]):
        run(start)
    for run in (RUNNERS[first], RUNNERS[second]):
        assert run(wait) == pytest.approx(3600, abs=60)


def test_an_outage_is_named_until_a_response_comes() -> None:
    """Eight requests in a row without a usable response are an outage."""
    limiter = RateLimiter(Unlimited())
    for number in range(8):
        assert limiter.snapshot().why == "no limit", number
        permit = limiter.try_acquire(0.0)
        assert permit is not None
        limiter.done(permit, Feedback(Signal.FAILED), 0.0)
    assert limiter.snapshot().why == "outage"
    permit = limiter.try_acquire(0.0)
    assert permit is not None
    limiter.done(permit, Feedback(Signal.ADMITTED), 0.0)
    assert limiter.snapshot().why == "no limit"
