"""Now, or in how long: the expected wait of a request, measured in virtual time against the wait that it then has."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import anyio
import attrs
import pytest

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.fixed import Unlimited
from callsavvy_async.testing.virtual_time import run_in_virtual_time
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.expected_wait import Ends
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError
from testbed.limiter.servers import FixedWindow, Queueing, Server, Tell, TokenBucket
from testbed.limiter.simulation import feedback_on

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return virtual_time


SERVERS: dict[str, tuple[Callable[[], Server], float]] = {
    "bucket 2/s, burst 1": (lambda: TokenBucket(2, 1), 2),
    "bucket 40/s, Retry-After": (lambda: TokenBucket(40, 40, Tell.RETRY_AFTER), 40),
    "fixed 60 per 3 s, Retry-After": (lambda: FixedWindow(60, 3, Tell.RETRY_AFTER), 20),
    "three workers": (lambda: Queueing(3, 0.1), 30),
}
"""Servers, and the requests per second that they admit. Waits at long sliding windows are foretold worse."""


async def _errors(server: Server, rate: float, *, seed: int, known_from: float, ends: float) -> list[float]:
    """Send bursts of requests, a little less than the server admits; return the relative errors of waits of a second and more.

    Args:
        server: The server.
        rate: Requests per second that it admits.
        seed: Seed of the bursts and latencies.
        known_from: Seconds after which the rate counts as known.
        ends: Seconds after which no more requests begin.
    """
    rng, limiter, errors, began = random.Random(seed), RateLimiter(Adaptive()), list[float](), current_time()

    async def request() -> None:
        came, expected = current_time(), list[float]()

        def on_wait(seconds: float | None, _why: str, _ahead: int) -> None:
            expected.append(math.nan if seconds is None else seconds)

        since = None
        while True:
            permit = await limiter.acquire(math.inf, on_wait, since=since)
            started = current_time()
            await anyio.sleep(rng.uniform(0.01, 0.04))
            answer = server.arrive(current_time() - began, share=1.0, rng=rng)
            await anyio.sleep(answer.service or rng.uniform(0.03, 0.3))
            limiter.done(permit, feedback_on(answer), current_time())
            if answer.status != 429:
                break
            since = came
        if came - began >= known_from and started - came >= 1.0:
            errors.append(abs(expected[0] - (started - came)) / (started - came))

    async with anyio.create_task_group() as group:
        while current_time() - began < ends:
            for _ in range(rng.randint(0, int(12 * rate))):
                group.start_soon(request)
            await anyio.sleep(rng.uniform(2.0, 12.0))
    return errors


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("bucket 2/s, burst 1", 1), *(pytest.param(name, 2, marks=pytest.mark.long) for name in SERVERS)],
)
def test_a_wait_is_foretold(name: str, seeds: int) -> None:
    """Nine of ten waits of a second and more differ from the expected ones by 20 % at most, once a rate is known."""
    make, rate = SERVERS[name]
    errors: list[float] = []
    for seed in range(seeds):

        async def measure(seed: int = seed) -> list[float]:
            return await _errors(make(), rate, seed=seed, known_from=100.0, ends=300.0)

        errors += run_in_virtual_time("asyncio", measure)
    assert len(errors) > 100
    assert not any(map(math.isnan, errors))
    assert sorted(errors)[int(0.9 * len(errors))] <= 0.2


async def test_a_wait_for_requests_in_flight_is_foretold() -> None:
    """One ends every half second; the next request has four before it. Beforehand it fails for no deadline."""
    limiter, told = RateLimiter(Unlimited(max_in_flight=1)), list[float | None]()

    def on_wait(seconds: float | None, _why: str, _ahead: int) -> None:
        told.append(seconds)

    async def request() -> None:
        permit = await limiter.acquire(math.inf, on_wait)
        await anyio.sleep(0.5)
        limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    async with anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(request)
        await anyio.sleep(1.2)
        assert limiter.expected_wait() == pytest.approx(2.5)
        with pytest.raises(WaitTooLongError) as late:
            await limiter.acquire(current_time() + 0.4, on_wait)
        assert late.value.seconds == pytest.approx(2.5, abs=0.5)
    assert told[0] is None  # nothing has ended yet
    assert told[-1] == pytest.approx(2.5)
    assert limiter.expected_wait() == 0.0


def test_a_429_is_no_end_and_idle_time_counts_for_nothing() -> None:
    """The mean is over the ends of requests that really ended while others waited."""
    ends, full = Ends(), Unlimited(max_in_flight=1)
    full.sent(0.0)
    for moment, signal in ((1.0, Signal.ADMITTED), (1.5, Signal.RATE_LIMITED), (2.0, Signal.FAILED)):
        ends.note(moment, signal)
    ends.last = None  # as the rate limiter does when no request waits
    ends.note(100.0, Signal.ADMITTED)
    assert ends.expect(full.snapshot(100.0), math.inf, 3).seconds == pytest.approx(4.0)


def test_a_rate_that_was_left_behind_promises_nothing() -> None:
    """The present rate counts if it is far above the learned one, except after a 429, and never without a learned one."""
    known = attrs.evolve(Unlimited().snapshot(0.0), learned_rate=10.0, rate=12.0, why="learned rate")
    risen = attrs.evolve(known, rate=20.0)
    assert Ends().expect(known, 1.0, 40).seconds == pytest.approx(5.0)
    assert Ends().expect(risen, 1.0, 40).seconds == pytest.approx(3.0)
    assert Ends().expect(attrs.evolve(risen, shut_for=1.0), 1.0, 40).seconds == pytest.approx(5.0)
    assert Ends().expect(attrs.evolve(risen, learned_rate=None), 1.0, 40).seconds == 1.0
    probing = Ends(between=0.5)
    assert probing.expect(known, math.inf, 40) == attrs.evolve(
        probing.expect(known, math.inf, 40), seconds=4.5, least=0.0
    )
