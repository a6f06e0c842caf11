"""One client in several threads, each with an event loop of its own: it works, under one limit, and nothing hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial

import anyio
import pytest

from callsavvy_async import Adaptive, Callsavvy, ConfigurationError, DeadlineExceededError, FixedRate, Unlimited
from callsavvy_async.policy.pacer import Pacer
from tests.profiles import mostly_long

from .server import Server, Turn, is_refused

pytestmark = pytest.mark.sockets

PATIENCE = 30.0


class Counting(Server):
    """Notes how many requests it had in hand at once, and when each came."""

    def __init__(self) -> None:
        super().__init__()
        self.in_hand = self.most = 0
        self.times: list[float] = []

    def answer(self, turn: Turn) -> None:
        with self.lock:
            self.in_hand += 1
            self.most = max(self.most, self.in_hand)
            self.times.append(time.monotonic())
        time.sleep(0.005)
        with self.lock:
            self.in_hand -= 1
        turn.answer()

    @property
    def trick(self) -> Callable[[Turn], object]:  # type: ignore[override]
        return self.answer

    @trick.setter
    def trick(self, _: object) -> None:
        """It plays none."""


@pytest.fixture
def server() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.close()


def run_in_threads(works: list[Callable[[], object]]) -> list[BaseException]:
    """Run each in a thread; fail if one does not end."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(ends_at - time.monotonic(), 0))
    assert not [thread for thread in threads if thread.is_alive()], "a thread hangs"
    return errors


def in_loop(loop: str, work: Callable[[], Coroutine[object, object, object]]) -> Callable[[], object]:
    return partial(anyio.run, work, backend=loop)


PACERS: dict[str, Callable[[], Pacer]] = {
    "adaptive": Adaptive,
    "fixed": lambda: FixedRate("100/s", max_in_flight=3),
    "unlimited": lambda: Unlimited(max_in_flight=2),
}


@pytest.mark.parametrize("pacer", mostly_long(reversed(PACERS), quick=2))
@pytest.mark.parametrize("backend", mostly_long(["auto", "native", "httpx", "aiohttp"]))
def test_at_once(backend: str, pacer: str, server: Counting) -> None:
    """Every request is answered, the limit holds for all threads together, and nothing is left in flight."""
    client = Callsavvy(
        public_key="p", private_key="k", base_url=server.url, backend=backend, pacing=PACERS[pacer](), deadline=20
    )

    async def work() -> None:
        for _ in range(3):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(client.account.summary)

    loops = ["asyncio"] * 3 + ["trio" if backend in {"auto", "httpx"} else "asyncio"] * 2
    assert run_in_threads([in_loop(loop, work) for loop in loops]) == []
    assert len(server.times) == 5 * 12
    seen = client.pacing.snapshot()
    assert (seen.in_flight, seen.waiting) == (0, 0)
    if pacer == "unlimited":
        assert server.most <= 2
    if pacer == "fixed":
        assert max(server.times) - min(server.times) >= 0.9 * 59 / 100


@pytest.mark.long
def test_a_loop_that_stands_still(server: Counting) -> None:
    """A thread that blocks its event loop holds up no request of another but by the permits that it has."""
    client = Callsavvy(public_key="p", private_key="k", base_url=server.url, pacing=FixedRate("50/s"), deadline=10)
    blocked, took = threading.Event(), list[float]()

    async def block() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(client.account.summary)
            await anyio.sleep(0.02)
            blocked.set()
            time.sleep(1.5)  # noqa: ASYNC251 - the point

    async def go_on() -> None:
        began = time.monotonic()
        for _ in range(5):
            await client.account.summary()
        took.append(time.monotonic() - began)

    def after() -> None:
        blocked.wait()
        asyncio.run(go_on())

    assert run_in_threads([in_loop("asyncio", block), after]) == []
    assert took[0] < 1.4


def test_a_loop_that_was_closed_with_its_waiters(server: Counting) -> None:
    """Requests whose event loop was closed under them give their turns up."""
    client = Callsavvy(public_key="p", private_key="k", base_url=server.url, pacing=FixedRate("5/s"), deadline=10)
    client.pacing.limiter("getSummary").try_acquire(time.monotonic())
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(client.account.summary()) for _ in range(4)]
    loop.run_until_complete(asyncio.sleep(0))
    assert client.pacing.snapshot().waiting == 4
    loop.close()
    asyncio.run(client.account.summary())
    assert client.pacing.snapshot().waiting == 0
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("pacing", [FixedRate("1/h"), Unlimited(max_in_flight=1)], ids=["rate", "in flight"])
def test_a_deadline_in_every_thread(pacing: Pacer, server: Counting) -> None:
    """Where the turn does not come, each waits until its own deadline, not longer."""
    client = Callsavvy(public_key="p", private_key="k", base_url=server.url, pacing=pacing, deadline=0.5)
    client.pacing.limiter("getSummary").try_acquire(time.monotonic())
    took: list[float] = []

    async def work() -> None:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await client.account.summary()
        took.append(time.monotonic() - began)

    assert run_in_threads([in_loop(loop, work) for loop in ["asyncio", "trio"] * 3]) == []
    assert max(took) < 3


def test_a_batching_of_another_loop(server: Counting) -> None:
    """Sends that share calls belong to one loop; another is told so at once, and what to do."""
    client = Callsavvy(public_key="p", private_key="k", base_url=server.url)
    numbers = [f"+23480000000{number:02}" for number in range(0, 20, 2)]
    assert not any(map(is_refused, numbers))

    async def elsewhere(batching: object) -> None:
        with pytest.raises(ConfigurationError, match="entered in another event loop"):
            await batching.send_sms(numbers[0], "hello")  # type: ignore[attr-defined]

    async def work() -> None:
        async with client.batcher() as batching:
            assert (
                await anyio.to_thread.run_sync(lambda: run_in_threads([lambda: asyncio.run(elsewhere(batching))])) == []
            )

    asyncio.run(work())
