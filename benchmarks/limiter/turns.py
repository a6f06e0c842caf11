# ruff: noqa: SLF001  # removes the two classes for comparison
"""Measure waits beside a bulk send, fairness, and the cost of an acquisition: `python -m benchmarks.limiter.turns`.

Waits and fairness are in virtual time, with the real client and the simulator in one process. Costs are CPU time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from statistics import quantiles
from unittest import mock

import anyio
import httpx
import trio

from callsavvy_async import Adaptive, Callsavvy, FixedRate, Unlimited
from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, FixedWindow, Simulator, TokenBucket
from callsavvy_async.simulator.limits import Limit
from callsavvy_async.testing.virtual_time import VirtualTimeLoop
from callsavvy_async.transport.clock import current_time, running_clock
from callsavvy_async.transport.fair_queue import FairQueue, Place
from callsavvy_async.transport.rate_limiter import RateLimiter

RECIPIENTS = 100_000
ADMITTED = Feedback(Signal.ADMITTED)
LIMITS: dict[str, Callable[[], Limit]] = {
    "bucket 10/s, burst 20": lambda: TokenBucket(10, 20, retry_after="none"),
    "bucket 100/s, burst 100": lambda: TokenBucket(100, 100, retry_after="none"),
    "fixed 100 per 10 s": lambda: FixedWindow(100, 10, retry_after="none"),
}


def main() -> None:
    logging.getLogger("callsavvy_async").setLevel(logging.ERROR)
    latency()
    fairness()
    cost()


def latency() -> None:
    print(
        f"\n| {RECIPIENTS:,} recipients, 30 per request, hidden limit | bulk requests in flight"
        " | s | 429s | single requests | p50 s | p99 s | most s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, make in LIMITS.items():
        for workers, queue_of in ((8, FairQueue._queue_of), (64, FairQueue._queue_of), (64, _one_queue)):
            with (
                asyncio.Runner(loop_factory=VirtualTimeLoop) as runner,
                mock.patch.object(FairQueue, "_queue_of", queue_of),
            ):
                waits, elapsed, refused = runner.run(_bulk_and_single_requests(make(), workers))
            p50, p99 = (quantiles(waits, n=100, method="inclusive")[at] for at in (49, 98))
            row = f"{elapsed:.0f} | {refused} | {len(waits)} | {p50:.2f} | {p99:.2f} | {max(waits):.2f} |"
            print(f"| {name} | {workers}{', one queue for all' if queue_of is _one_queue else ''} | {row}", flush=True)


def _one_queue(turns: FairQueue, _: Place) -> OrderedDict[Place, None]:
    """Remove the two classes, to show their effect."""
    return turns._interactive


async def _bulk_and_single_requests(limit: Limit, workers: int) -> tuple[list[float], float, int]:
    """Send single requests at random, one per second on average. Their latency of 0.1 s is subtracted."""
    simulator = Simulator(sms_balance=10**9, limit=limit, latency=0.1, clock=current_time, sleep=anyio.sleep)
    waits: list[float] = []
    rng = random.Random(1)
    async with Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=simulator.base_url,
        allow_insecure=True,
        transport=httpx.ASGITransport(app=simulator),
    ) as client:

        async def single() -> None:
            began = current_time()
            await client.account.summary()
            waits.append(max(0.0, current_time() - began - 0.1))

        async def singles(group: anyio.abc.TaskGroup) -> None:
            while True:
                await anyio.sleep(rng.expovariate(1.0))
                group.start_soon(single)

        numbers = (f"+23480{number:08}" for number in range(RECIPIENTS))
        began = current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(singles, group)
            report = await client.bulk.sms(numbers, "We open at nine.", chunk_size=30, max_in_flight=workers)
            group.cancel_scope.cancel()
        assert report.accepted == RECIPIENTS
        return waits, current_time() - began, client.pacing.snapshot().rate_limited


def fairness() -> None:
    print("\n| both want all of 100/s for a minute | single requests | bulk requests |\n|---|---:|---:|")
    for name, kinds in {"both": (False, True), "single requests only": (False,), "bulk only": (True,)}.items():
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            started = runner.run(_share(kinds))
        print(f"| {name} | {started[False]} | {started[True]} |")


async def _share(kinds: tuple[bool, ...]) -> Counter[bool]:
    limiter, started = RateLimiter(FixedRate("100/s")), Counter[bool]()

    async def work(bulk: bool) -> None:  # noqa: FBT001
        while True:
            permit = await limiter.acquire(math.inf, lambda *_: None, bulk=bulk)
            started[bulk] += 1
            await anyio.sleep(0.1)
            limiter.done(permit, ADMITTED, current_time())

    with anyio.move_on_after(60):
        async with anyio.create_task_group() as group:
            for bulk in kinds:
                for _ in range(50):
                    group.start_soon(work, bulk)
    return started


def cost() -> None:
    print("\n| acquire and done, CPU us each | 0 waiting | 100 waiting | 10,000 waiting |\n|---|---:|---:|---:|")
    pacers: dict[str, Callable[[int], Pacer]] = {
        "Unlimited": lambda most: Unlimited(max_in_flight=most),
        "Adaptive": lambda most: _learned(Adaptive(max_in_flight=most)),
    }
    for loop in ("asyncio", "trio"):
        for name, make in pacers.items():
            figures = [_run(loop, _unhindered, make(64)), *(_run(loop, _queued, make(1), n) for n in (100, 10_000))]
            print(f"| {loop}, {name} | {' | '.join(f'{figure:.1f}' for figure in figures)} |", flush=True)
    print(f"\nfunction calls, Python's and C's, of try_acquire and done: {asyncio.run(_function_calls())}")


def _learned(pacer: Adaptive) -> Adaptive:
    pacer.restore({"learned_rate": 1e6})
    return pacer


def _run(loop: str, main: Callable[..., object], *args: object) -> float:
    return min((asyncio.run(main(*args)) if loop == "asyncio" else trio.run(main, *args)) for _ in range(3))


async def _unhindered(pacer: Pacer) -> float:
    limiter, clock, count, began = RateLimiter(pacer), running_clock(), 50_000, time.process_time()
    for _ in range(count):
        permit = limiter.try_acquire(clock())
        if permit is None:
            permit = await limiter.acquire(math.inf, lambda *_: None)
        limiter.done(permit, ADMITTED, clock())
    return (time.process_time() - began) / count * 1e6


async def _queued(pacer: Pacer, waiters: int) -> float:
    """Queue all tasks, then admit them one by one. Returns the cost without that of the tasks."""
    rounds = max(1, 10_000 // waiters)
    with_limiter = await _time(pacer, waiters, rounds)
    return with_limiter - await _time(None, waiters, rounds)


async def _time(pacer: Pacer | None, waiters: int, rounds: int) -> float:
    began = time.process_time()
    for _ in range(rounds):
        limiter = None if pacer is None else RateLimiter(pacer)

        async def one() -> None:
            if limiter is not None:  # noqa: B023
                permit = await limiter.acquire(math.inf, lambda *_: None)  # noqa: B023
                await anyio.lowlevel.checkpoint()
                limiter.done(permit, ADMITTED, current_time())  # noqa: B023
            else:
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for _ in range(waiters):
                group.start_soon(one)
    return (time.process_time() - began) / (rounds * waiters) * 1e6


async def _function_calls() -> int:
    limiter, clock, counted = RateLimiter(Unlimited()), running_clock(), Counter[str]()
    for _ in range(2):
        counted.clear()
        sys.setprofile(lambda _, event, __: counted.update([event]))
        permit = limiter.try_acquire(clock())
        assert permit is not None
        limiter.done(permit, ADMITTED, clock())
        sys.setprofile(None)
    return counted["call"] + counted["c_call"] - 1


if __name__ == "__main__":
    main()
