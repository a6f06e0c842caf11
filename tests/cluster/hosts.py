"""Who hosts the workers of a fleet: a program of one's own, the command line, or an engine.

An engine is used as its users would: a queue in the same PostgreSQL or in Redis, one job for each runner, and its own way of
noticing that a worker died. What an engine needs beside it (somebody who starts it again after an outage) is here too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import anyio
import attrs
import procrastinate
import psycopg
import redis.exceptions
from pgqueuer import PgQueuer
from pgqueuer.db import PsycopgDriver
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from callsavvy_async.campaigns import Campaign, CampaignRun, Journal, JournalUnavailableError, RunOptions
from callsavvy_async.integrations.taskqueue.hosting import Enqueue
from callsavvy_async.integrations.taskqueue.pgqueuer import add_campaigns as add_to_pgqueuer
from callsavvy_async.integrations.taskqueue.procrastinate import add_campaigns as add_to_procrastinate
from callsavvy_async.integrations.taskqueue.taskiq import add_campaigns as add_to_taskiq
from tests.crash.killer import let_clocks_jump

from .place import CAMPAIGN, IN_FLIGHT, PATIENCE, Place

DEAD_AFTER = 2.0
"""Seconds after which an engine takes a worker for dead."""
OPTIONS: RunOptions = {"max_in_flight": IN_FLIGHT}


@attrs.frozen
class Host:
    """How to run one worker until it is told to leave, or nothing is left.

    Attributes:
        work: in a process of its own.
        engine: of a task queue; None for workers that need no job.
        redis: whether its queue lies in Redis.
        looks_when_enqueued: whether it looks for what dead workers left only when a job comes.
        leaves_with: exit codes after SIGTERM, beside 0.
        fails_with: exit code after which whoever keeps services alive starts another one; None when it does that itself.
    """

    work: Callable[[Place], None]
    engine: Callable[[Place], AbstractAsyncContextManager[Engine]] | None = None
    redis: bool = False
    looks_when_enqueued: bool = False
    leaves_with: tuple[int, ...] = ()
    fails_with: int | None = None

    def enqueue(self, place: Place, jobs: int, *, install: bool = False) -> None:
        """Enqueue so many runners."""
        if self.engine is not None:
            asyncio.run(_enqueue(self.engine, place, jobs, install=install))


@attrs.frozen
class Engine:
    """A task queue with the campaigns added."""

    install: Callable[[], Awaitable[object]]
    enqueue: Enqueue
    work: Callable[[], Coroutine[object, object, object]]
    leave: Callable[[], object] | None = None
    """What its command line does at SIGTERM; None to cancel its work."""


async def _enqueue(
    make: Callable[[Place], AbstractAsyncContextManager[Engine]], place: Place, jobs: int, *, install: bool
) -> None:
    async with make(place) as engine:
        if install:
            await engine.install()
        for _ in range(jobs):
            await engine.enqueue(CAMPAIGN)


# ------------------------------------------------------------------------------------------------------- without an engine


def plain(place: Place) -> None:
    """Run the campaign, as a program of one's own does."""
    if place.clock_jumps:
        let_clocks_jump()
    anyio.run(_plain, place, backend=place.backend)


async def _plain(place: Place) -> None:
    journal, campaign = await _join(place)
    async with place.client() as callsavvy, anyio.create_task_group() as group:
        run = campaign.run(callsavvy, max_in_flight=IN_FLIGHT)
        group.start_soon(_stop_on_sigterm, run)
        await run
        group.cancel_scope.cancel()
    await journal.__aexit__(None, None, None)


async def _join(place: Place) -> tuple[Journal, Campaign]:
    """Open the campaign; while the database is away again and again, as whoever keeps a service alive would."""
    while True:
        journal = Journal.open(place.journal, patience=PATIENCE, lease=place.lease)
        try:
            await journal.__aenter__()
            return journal, await journal.campaign(CAMPAIGN)
        except JournalUnavailableError:
            await journal.__aexit__(None, None, None)
            await anyio.sleep(0.2)


async def _stop_on_sigterm(run: CampaignRun) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            run.stop()


def runs_work(place: Place) -> None:
    """Become ``callsavvy campaigns work``."""
    options = ["--lease", str(place.lease), "--poll", "0.2", "--timeout", "10", "-o", "json"]
    speed = ["--rate", "100000/s", "--burst", "64", "--max-in-flight", str(IN_FLIGHT)]
    command = [sys.executable, "-m", "callsavvy_async", "campaigns", "work", place.journal, CAMPAIGN, *options, *speed]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.__stdout__.fileno())
    os.dup2(nowhere, sys.__stderr__.fileno())
    os.execve(sys.executable, command, dict(place.environment))  # noqa: S606 - no shell is wanted


# ------------------------------------------------------------------------------------------------------------- by an engine


@asynccontextmanager
async def on_procrastinate(place: Place) -> AsyncIterator[Engine]:
    """Host runners in procrastinate, whose periodic task gives back what dead workers had."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=place.queue))
    enqueue = add_to_procrastinate(
        app,
        place.journal,
        client=place.client,
        revive="* * * * * */1",
        dead_after=DEAD_AFTER,
        lease=place.lease,
        **OPTIONS,
    )
    async with app.open_async():
        yield Engine(
            app.schema_manager.apply_schema_async,
            enqueue,
            lambda: app.run_worker_async(
                concurrency=2,
                update_heartbeat_interval=DEAD_AFTER / 4,
                fetch_job_polling_interval=0.2,
                shutdown_graceful_timeout=0.2,
                install_signal_handlers=False,
            ),
        )


@asynccontextmanager
async def on_pgqueuer(place: Place) -> AsyncIterator[Engine]:
    """Host runners in PgQueuer, which takes jobs without a heartbeat over by itself."""
    async with await psycopg.AsyncConnection.connect(place.queue, autocommit=True) as connection:
        queuer = PgQueuer(PsycopgDriver(connection))
        enqueue = add_to_pgqueuer(queuer, place.journal, client=place.client, lease=place.lease, **OPTIONS)
        yield Engine(
            queuer.queries.install,
            enqueue,
            lambda: queuer.run(
                batch_size=1,
                max_concurrent_tasks=2,
                dequeue_timeout=timedelta(seconds=0.5),
                heartbeat_timeout=timedelta(seconds=DEAD_AFTER),
            ),
            queuer.shutdown.set,
        )


@asynccontextmanager
async def on_taskiq(place: Place) -> AsyncIterator[Engine]:
    """Host runners in taskiq on Redis streams, which delivers again what nobody acknowledged for a while."""
    broker = RedisStreamBroker(
        place.queue,
        queue_name=f"jobs:{place.journal}",
        consumer_id="0",
        idle_timeout=round(DEAD_AFTER * 1000),
        unacknowledged_lock_timeout=DEAD_AFTER,
        xread_block=200,
        xread_count=1,  # or the first worker takes the jobs of all
    )
    enqueue = add_to_taskiq(broker, place.journal, client=place.client, lease=place.lease, **OPTIONS)

    def work() -> Coroutine[object, object, object]:
        broker.is_worker_process = True
        return run_receiver_task(broker, max_async_tasks=1)

    await broker.startup()
    try:
        yield Engine(_nothing, enqueue, work)
    finally:
        await broker.shutdown()


async def _nothing() -> None:
    """Install nothing: a stream is there once it is written to."""


def _kept_alive(make: Callable[[Place], AbstractAsyncContextManager[Engine]]) -> Callable[[Place], None]:
    """Return what runs an engine's worker until it is told to leave, and again when its own connections broke off."""

    def work(place: Place) -> None:
        is_told = False

        async def serve() -> None:
            async with make(place) as engine:
                working = asyncio.get_running_loop().create_task(engine.work())

                def leave() -> None:
                    nonlocal is_told
                    is_told = True
                    (engine.leave or working.cancel)()

                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
                await working

        while not is_told:
            try:
                asyncio.run(serve())
            except asyncio.CancelledError:  # by the signal: nobody else cancels
                pass
            except (psycopg.Error, procrastinate.exceptions.ConnectorException, redis.exceptions.RedisError):
                time.sleep(0.3)

    return work


def _hosted(engine: Callable[[Place], AbstractAsyncContextManager[Engine]], **how: bool) -> Host:
    return Host(_kept_alive(engine), engine, leaves_with=(-signal.SIGTERM,), **how)


HOSTS = {
    "plain": Host(plain),
    "runs-work": Host(runs_work, leaves_with=(130, -signal.SIGTERM), fails_with=1),
    "procrastinate": _hosted(on_procrastinate),
    "pgqueuer": _hosted(on_pgqueuer),
    "taskiq": _hosted(on_taskiq, redis=True, looks_when_enqueued=True),
}
