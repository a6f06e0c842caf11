"""Whatever comes in whatever order: the cap holds, everybody gets a turn or a reason, nothing leaks, nobody starves."""

from __future__ import annotations

import math
from collections import Counter

import anyio
import attrs
import pytest
from hypothesis import example, given, strategies as st

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import FixedRate, Unlimited
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.testing.virtual_time import run_in_virtual_time
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.fair_queue import MOST_IN_A_ROW
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError
from tests.profiles import examples, mostly_long

PACERS = {
    "unlimited": lambda: Unlimited(max_in_flight=2),
    "fixed": lambda: FixedRate(3.0, burst=2, max_in_flight=3),
    "adaptive": lambda: Adaptive(max_in_flight=2),
}


ONE_BY_ONE = {
    "unlimited": lambda: Unlimited(max_in_flight=1),
    "fixed": lambda: FixedRate(3.0, max_in_flight=3),
    "adaptive": lambda: Adaptive(max_in_flight=1),
}
"""So that the order of permits is the order in which tasks run; trio wakes those of one moment in any order."""


@attrs.frozen
class Plan:
    """What one caller does, in seconds from the start."""

    comes: float
    holds: float
    bulk: bool
    patience: float
    cancelled: float
    signal: Signal
    steps: int


moments = st.integers(0, 40).map(lambda tick: tick / 8)
plans = st.builds(
    Plan,
    comes=moments,
    holds=moments,
    bulk=st.booleans(),
    patience=st.one_of(st.just(math.inf), moments),
    cancelled=st.one_of(st.just(math.inf), moments),
    signal=st.sampled_from([Signal.ADMITTED] * 6 + [Signal.RATE_LIMITED, Signal.NOTHING, Signal.FAILED]),
    steps=st.integers(0, 3),
)


@attrs.define
class Play:
    """Plays plans against one limiter and watches it."""

    pacer: Pacer
    holding: int = 0
    ended: Counter[str] = attrs.field(factory=Counter)
    started: list[tuple[bool, int]] = attrs.field(factory=list)

    async def run(self, callers: list[Plan]) -> None:
        limiter = RateLimiter(self.pacer)
        began = current_time()
        with anyio.fail_after(3600):
            async with anyio.create_task_group() as group:
                for number, plan in enumerate(callers):
                    group.start_soon(self.call, limiter, plan, number, began)
        assert sum(self.ended.values()) == len(callers)
        assert self.holding == limiter.snapshot().in_flight == limiter.waiting == 0, "something leaked"
        with anyio.fail_after(3600):
            limiter.done(await limiter.acquire(math.inf, lambda *_: None), Feedback(Signal.NOTHING), current_time())

    async def call(self, limiter: RateLimiter, plan: Plan, number: int, began: float) -> None:
        if plan.comes:
            await anyio.sleep(plan.comes)
        ends_at = current_time() + plan.patience
        scope = anyio.CancelScope(deadline=anyio.current_time() + plan.cancelled)
        with scope:
            try:
                permit = await limiter.acquire(ends_at, lambda *_: None, bulk=plan.bulk)
            except WaitTooLongError:
                assert current_time() <= ends_at + 1e-5, "the news came after the deadline"
                self.ended["late"] += 1
                return
            await self.hold(limiter, permit, plan, number)
        if scope.cancelled_caught:
            self.ended["cancelled"] += 1

    async def hold(self, limiter: RateLimiter, permit: Permit, plan: Plan, number: int) -> None:
        self.holding += 1
        self.started.append((plan.bulk, number))
        assert self.holding <= limiter.snapshot().in_flight <= self.pacer.max_in_flight, "more than the cap"  # type: ignore[attr-defined]
        try:
            await anyio.sleep(plan.holds)
            for _ in range(plan.steps):
                await anyio.lowlevel.checkpoint()
        except BaseException:
            self.holding -= 1
            limiter.done(permit, Feedback(Signal.NOTHING), current_time())
            raise
        self.holding -= 1
        limiter.done(permit, Feedback(plan.signal), current_time())
        self.ended["done"] += 1


@pytest.mark.parametrize("backend", mostly_long(["asyncio", "trio"]))
@pytest.mark.parametrize("pacer", PACERS)
@given(callers=st.lists(plans, max_size=14))
@examples(40)
def test_nothing_leaks_and_nobody_is_forgotten(pacer: str, backend: str, callers: list[Plan]) -> None:
    """Every caller ends with a permit, with the news that it is late, or cancelled; then all is as in the beginning."""
    run_in_virtual_time(backend, Play(PACERS[pacer]()).run, callers)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", mostly_long(["asyncio", "trio"]))
@example(kinds=[False] * 6 + [True], pacer="fixed")
@given(kinds=st.lists(st.booleans(), min_size=1, max_size=40), pacer=st.sampled_from(sorted(ONE_BY_ONE)))
@examples(100)
def test_nobody_starves(backend: str, kinds: list[bool], pacer: str) -> None:
    """Within a class it is first come first served; and while both wait, one in five at least is of the bulk."""
    play = Play(ONE_BY_ONE[pacer]())
    callers = [Plan(0.0, 1.0, bulk, math.inf, math.inf, Signal.ADMITTED, 0) for bulk in kinds]

    async def run() -> None:
        limiter, began = RateLimiter(play.pacer), current_time()
        async with anyio.create_task_group() as group:
            for number, plan in enumerate(callers):
                group.start_soon(play.call, limiter, plan, number, began)
                for _ in range(3):  # until it waits; no time passes, so all come before the second starts
                    await anyio.lowlevel.checkpoint()

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]
    for bulk in (True, False):
        numbers = [number for kind, number in play.started if kind is bulk]
        assert numbers == sorted(numbers)
    last_bulk = max((place for place, (bulk, _) in enumerate(play.started) if bulk), default=-1)
    in_a_row = 0
    for bulk, _ in play.started[1 : last_bulk + 1]:  # the first did not wait
        in_a_row = 0 if bulk else in_a_row + 1
        assert in_a_row <= MOST_IN_A_ROW


@pytest.mark.long
@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.long)])
def test_thousands_wait_for_one_timer(backend: str) -> None:
    """Three thousand waiters, each with another deadline, set one timer; each is told in time, the middle first or last."""
    told: list[float] = []

    async def wait(limiter: RateLimiter, seconds: float) -> None:
        began = current_time()
        with pytest.raises(WaitTooLongError):
            await limiter.acquire(began + seconds, lambda *_: None)
        told.append(current_time() - began - seconds)

    async def run() -> None:
        limiter = RateLimiter(Unlimited(max_in_flight=1))
        assert limiter.try_acquire(current_time())
        async with anyio.create_task_group() as group:
            for number in range(3_000):
                group.start_soon(wait, limiter, 1.0 + (number * 7919) % 100)
            await anyio.wait_all_tasks_blocked()
            if backend == "trio":
                import trio  # noqa: PLC0415

                assert trio.lowlevel.current_statistics().seconds_to_next_deadline == pytest.approx(1.0, abs=0.1)
            else:
                import asyncio  # noqa: PLC0415

                timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
                assert len([timer for timer in timers if not timer.cancelled()]) == 1

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]
    assert len(told) == 3_000
    assert max(map(abs, told)) < 1e-3


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_deadline_that_those_ahead_will_use_up(backend: str) -> None:
    """Where the rate is known, a newcomer behind ten others learns at once that its turn would come too late."""

    async def run() -> None:
        limiter = RateLimiter(FixedRate(1.0, max_in_flight=99))
        began = current_time()
        assert limiter.try_acquire(began)
        waits: list[tuple[float | None, str, int]] = []
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(limiter.acquire, math.inf, lambda *wait: waits.append(wait))
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(WaitTooLongError) as caught:
                await limiter.acquire(began + 10.5, lambda *_: pytest.fail("it must not wait"))
            assert caught.value.seconds == pytest.approx(11)
            assert current_time() == pytest.approx(began)
            assert [(seconds, ahead) for seconds, _, ahead in waits] == [(pytest.approx(n + 1), n) for n in range(10)]
            await limiter.acquire(began + 11.5, lambda *_: None)
            assert current_time() == pytest.approx(began + 11)

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_deadlines_of_those_long_gone_are_forgotten(backend: str) -> None:
    """Calls with long deadlines that wait for a moment each leave nothing behind that grows with their number."""

    async def run() -> None:
        limiter, most = RateLimiter(Unlimited(max_in_flight=1)), 0

        async def one() -> None:
            nonlocal most
            permit = await limiter.acquire(current_time() + 3600, lambda *_: None)
            most = max(most, len(limiter._deadlines))
            await anyio.sleep(0.01)
            limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

        for _ in range(200):
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(one)
        assert most < 150

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nobody_overtakes_a_waiter_whose_timer_is_late(backend: str) -> None:
    """A newcomer that comes when the turn of a waiter is due, but its timer has not fired yet, queues up behind it."""

    async def run() -> None:
        limiter = RateLimiter(FixedRate(1.0, max_in_flight=9))
        assert limiter.try_acquire(current_time())
        async with anyio.create_task_group() as group:
            group.start_soon(limiter.acquire, math.inf, lambda *_: None)
            await anyio.wait_all_tasks_blocked()
            late = current_time() + 5.0
            assert limiter.try_acquire(late) is None
        assert limiter.try_acquire(late) is not None, "nobody waits any more"

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]
