"""Campaigns hosted by taskiq, with `taskiq_redis.RedisStreamBroker`.

A message that nobody acknowledged for `idle_timeout` is delivered again, whether its worker died or is only busy: that is no
proof of death, and needs none. Two runners of a campaign share it. But taskiq-redis 1.2 looks for such messages only after a
new one came: when a worker died on a quiet stream, enqueue the campaign once more (or let a scheduler do it). Give the broker ``consumer_id="0"``, or it forgets what
was enqueued before the first worker started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from taskiq import AsyncBroker

from callsavvy_async.campaigns import RunOptions
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

    Args:
        broker: yours.
        journal: its URL.
        client: makes the client of a job.
        lease: see `Journal.open`.
        **options: of every run.
    """

    @broker.task(task_name="callsavvy.run_campaign")
    async def host(name: str) -> Mapping[str, object]:
        return await run_campaign(journal, name, client=client, lease=lease, **options)

    async def enqueue(name: str) -> None:
        await host.kiq(name)

    return enqueue
