"""Campaigns hosted by taskiq, with `taskiq_redis.RedisStreamBroker`.

A message that nobody acknowledged for `idle_timeout` is delivered again, whether its worker died or is only busy: that is no
proof of death, and needs none. Two runners of a campaign share it. But taskiq-redis 1.2 looks for such messages only after a
new one came: when a worker died on a quiet stream, enqueue the campaign once more (or let a scheduler do it). Give the broker
``consumer_id="0"``, or it forgets what was enqueued before the first worker started; and ``xread_count=1``, or the first worker
takes the runners of all.

A job that ends is acknowledged, also by a cancellation, and a worker that shuts down tells its jobs nothing. So what a shutdown
or a journal that was away interrupted enqueues itself again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Unpack

from taskiq import AsyncBroker, TaskiqEvents, TaskiqState

from callsavvy_async.campaigns import JournalError, RunOptions
from callsavvy_async.campaigns.run import run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.integrations.taskqueue.hosting import Enqueue, MakeClient, run_campaign


def add_campaigns(
    broker: AsyncBroker,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Enqueue:
    """Add the task that hosts a runner: ``await enqueue("welcome-2026-11")``.

    A worker's ``--wait-tasks-timeout`` says how long it waits before runners are stopped at a shutdown, its
    ``--shutdown-timeout`` for how long they may wait for the answers to what is on the wire.

    Args:
        broker: yours.
        journal: its URL.
        client: makes the client of a job.
        lease: see `Journal.open`.
        **options: of every run.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
    """
    run_settings(**options)  # raises what a run would raise
    hosting: set[asyncio.Task[object]] = set()

    @broker.task(task_name="callsavvy.run_campaign")
    async def host(name: str) -> Mapping[str, object]:
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - a coroutine runs in one
        hosting.add(own)
        try:
            return await run_campaign(journal, name, client=client, lease=lease, **options)
        except (asyncio.CancelledError, JournalError):
            await enqueue(name)
            raise
        finally:
            hosting.discard(own)

    @broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
    async def stop_runners(_: TaskiqState) -> None:
        jobs = tuple(hosting)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def enqueue(name: str) -> None:
        await host.kiq(name)

    return enqueue
