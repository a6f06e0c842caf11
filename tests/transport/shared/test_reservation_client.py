"""The task that asks the row: only when it is needed, never in the way of a call, and never the end of one."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import attrs
import pytest
import trio

from callsavvy_async.hooks import HookEvent, SharedLimitLost, SharedLimitRestored
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.reservation_protocol import RowRequest, RowState
from callsavvy_async.policy.shared import SharedPacer
from callsavvy_async.policy.standalone import SAFETY
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.hooks import Hooks, log_event
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError
from callsavvy_async.transport.shared.reservation_client import IDLE, ReservationClient
from callsavvy_async.transport.shared.reservation_store import ReservationStore, UnreachableError
from testbed.limiter.ledger import Ledger

pytestmark = pytest.mark.anyio
RUNNERS: dict[str, Callable[..., None]] = {"asyncio": anyio.run, "trio": trio.run}


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return virtual_time


@attrs.define
class Row:
    """A row in memory that takes a millisecond to answer, and may be out of reach."""

    ledger: Ledger = attrs.field(factory=Ledger)
    fails: Exception | None = None
    sent_at: int = 0
    opened: int = 0
    open: int = 0

    async def execute(self, request: RowRequest) -> RowState:
        self.sent_at += 1
        await anyio.sleep(0.001)
        if self.fails is not None:
            raise self.fails
        return self.ledger.execute(1e9 + current_time(), "me", request)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[ReservationStore, None]:
        self.opened += 1
        await anyio.sleep(0.01)
        if self.fails is not None:
            raise self.fails
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1


@attrs.define
class Client:
    """What a client has of a shared limit."""

    row: Row = attrs.field(factory=Row)
    events: list[HookEvent] = attrs.field(factory=list)
    pacer: SharedPacer = attrs.field(factory=lambda: SharedPacer(known=(10.0, 1), share=2.0))
    limiter: RateLimiter = attrs.field(init=False)
    fetcher: ReservationClient = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.limiter = RateLimiter(self.pacer)
        self.fetcher = ReservationClient(self.limiter, self.pacer, self.row.connect, "*", Hooks([self.events.append]))

    async def request(self, *, ends_at: float = math.inf, feedback: Feedback | None = None) -> float:
        """Make one call that takes no time, and return when it started."""
        permit: Permit = await self.limiter.acquire(ends_at, lambda *_: None)
        started = current_time()
        self.limiter.done(permit, feedback or Feedback(Signal.ADMITTED), started)
        return started

    async def requests(self, count: int) -> list[float]:
        starts = list[float]()

        async def one() -> None:
            starts.append(await self.request())

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)
        return starts


async def test_calls_start_when_their_slots_come() -> None:
    """At the rate of the limit, in few requests."""
    client = Client()
    starts = await client.requests(41)
    assert starts[-1] - starts[0] == pytest.approx(4.0, abs=0.01)
    assert max(b - a for a, b in itertools.pairwise(starts)) == pytest.approx(0.1, abs=0.01)
    assert client.row.sent_at <= 41
    await client.fetcher.aclose()
    assert client.row.open == 0


async def test_nothing_runs_without_demand() -> None:
    """It is not started before the first call, and ends some time after the last; the next call starts it again."""
    client = Client()
    await anyio.sleep(100)
    assert client.row.opened == 0
    await client.request()
    sent_at = client.row.sent_at
    await anyio.sleep(2 * IDLE + 1)
    assert client.row.open == 0
    assert client.row.sent_at <= sent_at + 1
    await client.request()
    assert (client.row.opened, client.row.open) == (2, 1)
    await client.fetcher.aclose()


async def test_closing_twice_or_before_anything_was_asked() -> None:
    """Nothing happens, and a closed one serves again."""
    client = Client()
    await client.fetcher.aclose()
    await client.request()
    await client.fetcher.aclose()
    await client.fetcher.aclose()
    await client.request()
    assert client.row.opened == 2
    await client.fetcher.aclose()


async def test_calls_that_wait_outlive_a_closing() -> None:
    """Though the first answer had not come yet: somebody asks again for them."""
    client = Client()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(client.request)
            await anyio.sleep(0.005)
            await client.fetcher.aclose()
    await client.fetcher.aclose()
    assert client.row.open == 0


@attrs.define
class BrokenRow(Row):
    """A row whose connection has a task of its own, which fails as it is closed."""

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[ReservationStore, None]:
        async def fail() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise OSError("broken")

        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            yield self


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_connection_that_fails_as_it_is_closed(runner: str) -> None:
    """Nothing is lost by it; on trio the whole program would end over an error here."""
    client = Client(BrokenRow())

    async def main() -> None:
        await client.request()
        await client.fetcher.aclose()
        await client.request()

    RUNNERS[runner](main)
    assert not client.events


@pytest.mark.parametrize("error", [UnreachableError("gone"), KeyError("a bug")])
async def test_a_row_that_is_lost_and_found(error: Exception) -> None:
    """It is said once, the calls go on at their share, and when the row is back they are one with the others again."""
    client = Client()
    await client.requests(5)
    client.row.fails = error
    began = current_time()
    starts = await client.requests(40)
    assert len([at for at in starts if began + 1.0 < at <= began + 3.0]) == pytest.approx(20.0 * SAFETY, abs=1)
    lost = [event for event in client.events if isinstance(event, SharedLimitLost)]
    assert [(event.limit, event.processes, event.rate) for event in lost] == [("*", 1, 10.0 * SAFETY)]
    assert lost[0].reason in {"gone", "KeyError('a bug')"}
    assert "unavailable" in client.limiter.snapshot().why
    client.row.fails = None
    await client.requests(40)
    found = [event for event in client.events if isinstance(event, SharedLimitRestored)]
    assert [event.limit for event in found] == ["*"]
    assert found[0].seconds >= 3.0
    assert client.limiter.snapshot().why == "fixed rate, shared"
    await client.fetcher.aclose()


def test_it_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    """Losing the others, and finding them again, are warnings: both change how fast a client sends."""
    log_event(SharedLimitLost("*", 23.75, 4, "gone"))
    log_event(SharedLimitRestored("*", 8.5, 2))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the shared limit '*' is unavailable (gone); continuing at 23.8/s, the share of one of 4"),
        ("WARNING", "the shared limit '*' is back after 8.5 s; processes so far: 2"),
    ]


async def test_a_row_that_was_never_reached() -> None:
    """Calls start all the same, at the share that was given for that; when nobody calls, nobody tries."""
    client = Client(Row(fails=UnreachableError("gone")))
    starts = await client.requests(5)
    assert starts[-1] - starts[0] == pytest.approx(2.0, abs=0.1)
    await anyio.sleep(2 * IDLE)
    opened = client.row.opened
    await anyio.sleep(2 * IDLE)
    assert client.row.opened == opened


async def test_a_refusal_is_told_at_once() -> None:
    """The row knows within the time of two requests, though nobody waits for it."""
    client = Client()
    await client.request(feedback=Feedback(Signal.RATE_LIMITED, 5.0))
    await anyio.sleep(0.003)
    assert client.row.ledger.slot == pytest.approx(1e9 + current_time() + 5.0, abs=0.01)
    assert client.limiter.snapshot().shut_for == pytest.approx(5.0, abs=0.01)
    began = current_time()
    assert await client.request() - began == pytest.approx(5.0, abs=0.02)
    await client.fetcher.aclose()


async def test_a_deadline_is_kept_while_the_row_is_awaited() -> None:
    """A call does not wait for an answer past its own end."""
    client = Client()
    client.row.ledger.execute(1e9 + current_time(), "other", _far_away(client))
    with pytest.raises(WaitTooLongError):
        await client.request(ends_at=current_time() + 3.0)
    await client.fetcher.aclose()


def _far_away(client: Client) -> RowRequest:
    """Book the next hundred seconds for somebody else."""
    other = SharedPacer(known=(10.0, 1))
    for now in (0.0, 0.001):
        request = other.next_request(now, 1)
        assert request is not None
        view = client.row.ledger.execute(1e9 + current_time(), "other", request)
        other.on_response(request, view, sent_at=now, received_at=now)
    reservation = other.next_request(0.002, 1)
    assert reservation is not None
    return attrs.evolve(reservation, count=1000)  # type: ignore[call-arg]


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("second", RUNNERS)
@pytest.mark.parametrize("first", RUNNERS)
def test_one_event_loop_after_the_other(first: str, second: str, *, closed: bool) -> None:
    """A client serves one loop after the other, whether it was closed in the first or the loop just ended."""
    client = Client(pacer=SharedPacer(known=(1000.0, 1)))

    async def main() -> None:
        await client.request()
        if closed:
            await client.fetcher.aclose()
        else:
            await anyio.lowlevel.checkpoint()

    RUNNERS[first](main)
    assert client.row.open == 0
    RUNNERS[second](main)
    assert (client.row.opened, client.row.open) == (2, 0)
