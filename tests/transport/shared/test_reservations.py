"""Redis and PostgreSQL keep the row as the ledger in memory does, and neither tells secrets when it cannot."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import anyio
import anyio.to_thread
import attrs
import psycopg
import pytest

from callsavvy_async.policy.reservation_protocol import Replace, Reserve, RowRequest, RowState
from callsavvy_async.transport.shared import postgres as postgres_rows, redis as redis_rows
from callsavvy_async.transport.shared.reservation_store import LEASE, ReservationStore, UnreachableError, describe
from testbed.limiter.ledger import Ledger
from tests.profiles import mostly_long

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@attrs.frozen
class Rows:
    """Where the rows are, and how one is opened."""

    url: str

    def connect(
        self, name: str, process: str = "me", url: str | None = None
    ) -> AbstractAsyncContextManager[ReservationStore]:
        module = redis_rows if self.url.startswith("redis") else postgres_rows
        return module.connect(url or self.url, name, process)


@pytest.fixture(scope="module")
def urls(postgres, redis) -> dict[str, str]:
    return {"redis": redis.url, "postgres": postgres.new_database()}


@pytest.fixture(params=["redis", "postgres"])
def rows(request: pytest.FixtureRequest, urls: dict[str, str]) -> Rows:
    return Rows(urls[request.param])


@pytest.fixture
async def row(anyio_backend: object, rows: Rows) -> AsyncIterator[ReservationStore]:
    async with rows.connect(uuid.uuid4().hex) as opened:
        yield opened


def near(view: RowState, controller: str | None = None) -> object:
    """Return what an equal view compares to; what a reservation under the right version is told of the controller is free."""
    numbers = {name: pytest.approx(getattr(view, name), abs=1e-5) for name in ("slot", "idle")}
    return attrs.evolve(view, controller=view.controller if controller is None else controller, **numbers)  # type: ignore[arg-type]


def requests(rng: random.Random, now: float, versions: list[str]) -> RowRequest:
    """Ask for anything: under right and wrong versions, late and early, counted or not."""
    if rng.random() < 0.2:
        versions.append(f"v{len(versions)}")
        return Replace(
            rng.choice(versions[-3:-1]), versions[-1], f"controller {len(versions)} é", now + rng.uniform(-1, 1)
        )
    return Reserve(
        rng.choice([*versions[-2:], "?"]),
        rng.randrange(4),
        rng.choice([0.001, 0.25, 1.0]),
        rng.choice([0.0, 0.05]),
        rng.random() < 0.7,
        rng.randrange(3),
        rng.choice([0.0, 0.125]),
    )


@pytest.mark.parametrize("seed", mostly_long(range(3)))
async def test_the_same_as_in_memory(row: ReservationStore, seed: int) -> None:
    """Whatever the request, the row after it is the ledger's, by the clock of the server."""
    rng, ledger, versions, now = random.Random(seed), Ledger(), ["", "v"], 0.0
    for _ in range(60):
        request = requests(rng, now, versions)
        view = await row.execute(request)
        now = view.now
        assert view == near(ledger.execute(now, "me", request), view.controller)
        if isinstance(request, Replace) or request.version != view.version:
            assert view.controller == ledger.controller


async def test_late_and_timely_bookings(row: ReservationStore) -> None:
    """What is reserved after an idle time is counted apart; what is on time is not, and probes are not counted."""
    ledger, slot = Ledger(), 1e9
    for request in (
        Replace("", "v", "controller", slot),
        Reserve("v", 3, 0.25, 0.05),
        Reserve("v", 2, 0.25, 0.05, throttled_for=0.125),
        Reserve("v", 1, 1.0, counted=False),
        Reserve("v", 1, 0.25, released=2),
    ):
        view = await row.execute(request)
        assert view == near(ledger.execute(view.now, "me", request), view.controller)
    assert (view.taken, view.after_idle) == (3 + 2 + 1 - 2, 3)


async def test_processes_are_counted(rows: Rows) -> None:
    """Every process that has lately sent a request counts once."""
    name = uuid.uuid4().hex
    async with rows.connect(name, "a") as first, rows.connect(name, "b") as second:
        counts = [(await one.execute(Reserve("?"))).processes for one in (first, first, second, first)]
    assert counts == [1, 1, 2, 2]
    assert LEASE >= 1.0


async def test_rows_are_apart(rows: Rows) -> None:
    """Limits of other accounts, or of other names, are not touched."""
    async with rows.connect(uuid.uuid4().hex) as one, rows.connect(uuid.uuid4().hex) as other:
        await one.execute(Replace("", "v", "controller", 5.0))
        assert (await other.execute(Reserve("?"))).version == ""


async def test_all_at_once(rows: Rows) -> None:
    """Bookings of many at the same time do not overlap, and exactly one of many changes wins."""
    name, taken = uuid.uuid4().hex, list[float]()
    won = list[str]()

    async def process(number: int) -> None:
        async with rows.connect(name, str(number)) as row:
            view = await row.execute(Replace("", f"v{number}", "controller", 2e9))
            if view.version == f"v{number}":
                won.append(view.version)
            for _ in range(10):
                view = await row.execute(Reserve(view.version, 3, 1.0))
                taken.append(view.slot)

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(process, number)
    assert len(won) == 1
    assert sorted(taken) == [2e9 + 3.0 * (number + 1) for number in range(40)]


async def test_a_role_that_may_only_use_the_table(urls: dict[str, str]) -> None:
    """The table is made by who comes first; the others need not be allowed to make any."""
    rows = Rows(urls["postgres"])
    async with rows.connect("r"):
        pass
    with psycopg.connect(rows.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS worker")
        connection.execute("CREATE ROLE worker LOGIN")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON callsavvy_pacing TO worker")
        async with rows.connect("r", url=rows.url.replace("callsavvy@", "worker@")) as row:
            assert (await row.execute(Reserve("?"))).version == ""
        connection.execute("REVOKE ALL ON callsavvy_pacing FROM worker")


async def test_a_server_that_is_not_there(rows: Rows) -> None:
    """It is said at once, without the password."""
    scheme, rest = rows.url.split("://")
    host = rest.rpartition("@")[2].split(":")[0]
    with pytest.raises(UnreachableError) as caught:
        async with rows.connect("r", url=f"{scheme}://me:s%2Fcret@{host}:1/0"):
            pass
    assert "cret" not in str(caught.value)


def test_errors_are_told_without_secrets() -> None:
    """Whatever form the password takes, and however deep the error lies."""
    url = "redis://me:s%2Fcret@host/0"
    error = BaseExceptionGroup("", [ExceptionGroup("", [OSError(f"no {url}\n at s/cret or s%2Fcret")])])
    assert describe(error, url) == "OSError: no *** at *** or ***"
    assert describe(OSError("no s/cret"), "postgresql://host/db?user=me&password=s%2Fcret") == "OSError: no ***"
    assert describe(TimeoutError(), "redis://host") == "TimeoutError: no response in time"
    assert describe(ExceptionGroup("", [UnreachableError("gone")]), url) == "gone"


async def test_an_answer_that_does_not_come(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for, neither then nor when the row is left, and the connection is closed all the same."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'callsavvy pacing'"
    rows = Rows(urls["postgres"])
    with psycopg.connect(rows.url) as other, psycopg.connect(rows.url, autocommit=True) as observer:
        async with rows.connect("hangs") as row:
            await row.execute(Reserve("?"))
            other.execute("SELECT 1 FROM callsavvy_pacing WHERE name = 'hangs' FOR UPDATE")
            monkeypatch.setattr(postgres_rows, "PATIENCE", 0.2)  # a busy machine takes longer to connect
            with pytest.raises(UnreachableError, match="no response in time"):
                await row.execute(Reserve("?"))
        other.rollback()
        with anyio.fail_after(60):
            while observer.execute(count).fetchone() != (0,):  # noqa: ASYNC110 - another process ends it
                await anyio.sleep(0.01)


@pytest.mark.long
async def test_a_table_that_cannot_be_made_for_long(
    anyio_backend: str, postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gives up waiting for it leaves neither a connection nor a thread behind, however often it is tried."""
    monkeypatch.setattr(postgres_rows, "PATIENCE", 0.1)
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    rows = Rows(postgres.new_database())
    with psycopg.connect(rows.url) as other, psycopg.connect(rows.url, autocommit=True) as observer:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgres_rows._LOCK,))
        before = threading.active_count()
        for _ in range(3):
            with pytest.raises(UnreachableError, match="no response in time"):
                async with rows.connect("r"):
                    pass
        with anyio.fail_after(60):
            while threading.active_count() > before + 1:  # one idle thread is kept
                await anyio.sleep(0.01)
                if anyio_backend == "asyncio":  # where idle threads end when another is sent_at for
                    await anyio.to_thread.run_sync(int)
        other.rollback()
        with anyio.fail_after(60):
            while observer.execute(count).fetchone() != (0,):  # noqa: ASYNC110 - another process ends it
                await anyio.sleep(0.01)


async def test_threads_that_are_all_busy(urls: dict[str, str]) -> None:
    """Whatever a program does in its own threads, the row is not out of reach for that."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    before, limiter.total_tokens = limiter.total_tokens, 1
    try:
        async with limiter, Rows(urls["postgres"]).connect("busy") as row:
            assert (await row.execute(Reserve("?"))).processes == 1
    finally:
        limiter.total_tokens = before


async def test_a_database_that_may_not_be_used(postgres) -> None:
    """Who may not make the table is told so, and that it is missing."""
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN")
    with pytest.raises(UnreachableError, match="permission denied"):
        async with Rows(url).connect("r", url=url.replace("callsavvy@", "stranger@")):
            pass


async def test_a_password_that_is_wrong(redis) -> None:
    """The server's refusal is told, and not what was sent."""
    url = f"redis://me:s%2Fcret@127.0.0.1:{redis.port}/0"
    with pytest.raises(UnreachableError, match=r"WRONGPASS|password") as caught:
        async with Rows(url).connect("r"):
            pass
    assert "cret" not in str(caught.value)


async def test_a_server_that_dies(rows: Rows, urls: dict[str, str], redis, postgres) -> None:
    """The one connection is not made anew behind the back of who holds it."""
    async with rows.connect("dies") as row:
        await row.execute(Reserve("?"))
        if rows.url == redis.url:
            redis.kill()
            redis.start()
        else:
            postgres.stop("immediate")
            postgres.start()
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await row.execute(Reserve("?"))
    async with rows.connect("dies") as row:
        await row.execute(Reserve("?"))
