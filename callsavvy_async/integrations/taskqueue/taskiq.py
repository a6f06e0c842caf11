"""Campaigns in taskiq, with `taskiq_redis.RedisStreamBroker`.

- Redelivery. The broker delivers a message again that stays unacknowledged for `idle_timeout`, even if its process is only
  busy. This is harmless: the campaign then has one more worker. taskiq-redis 1.2 looks for such messages only when a new one
  arrives, so after a crash on a quiet stream enqueue the campaign again, for example from a scheduler.
- Broker options. Set ``consumer_id="0"``; otherwise messages enqueued before the first process are lost. Set
  ``xread_count=1``; otherwise the first process takes all workers.
- Interruption. taskiq acknowledges every job that ends, including a cancelled one, and a shutdown does not notify jobs. So a
  job that a shutdown or an outage of the journal interrupts enqueues itself again.
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
    """Add the task for workers, and return a function to enqueue one: ``await enqueue("welcome-2026-11")``.

    At a shutdown, taskiq's ``--wait-tasks-timeout`` limits the wait before the jobs are stopped, and its
    ``--shutdown-timeout`` limits their wait for the requests in flight.

    Args:
        broker: your broker.
        journal: URL of the journal.
        client: creates the client of a job.
        lease: see `Journal.open`.
        **options: options of each run.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
    """
    run_settings(**options)  # validates at start-up
    hosting: set[asyncio.Task[object]] = set()

    @broker.task(task_name="callsavvy.run_campaign")
    async def host(name: str) -> Mapping[str, object]:
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - a coroutine runs in a task
        hosting.add(own)
        try:
            return await run_campaign(journal, name, client=client, lease=lease, **options)
        except (asyncio.CancelledError, JournalError):
            await enqueue(name)
            raise
        finally:
            hosting.discard(own)

    @broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
    async def stop_jobs(_: TaskiqState) -> None:
        jobs = tuple(hosting)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def enqueue(name: str) -> None:
        await host.kiq(name)

    return enqueue
