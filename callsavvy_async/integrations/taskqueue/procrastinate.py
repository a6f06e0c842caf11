"""Campaigns hosted by procrastinate, in the same PostgreSQL.

It never repeats a job by itself: one whose worker died stays "doing". So a periodic task gives such jobs back.
"""

from __future__ import annotations

import asyncio
from typing import Unpack

from procrastinate import App, RetryStrategy
from procrastinate.exceptions import JobAborted
from procrastinate.tasks import Task

from callsavvy_async.campaigns import JournalError, RunOptions
from callsavvy_async.client import Callsavvy
from callsavvy_async.integrations.taskqueue.hosting import MakeClient, run_campaign

QUEUE = "callsavvy"
REVIVE_QUEUE = "callsavvy-revive"
_WAIT = 5
"""Seconds before a job that was interrupted is tried again."""


def add_campaigns(
    app: App,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    revive: str = "* * * * *",
    dead_after: float = 30.0,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Task[[str], None, None]:
    """Add the task that hosts a runner, ``await task.defer_async(name="welcome-2026-11")``, and the one that revives it.

    Defer it as often as there shall be runners. What a shutdown or a journal that was away interrupted is tried again.

    Args:
        app: yours. A worker's `concurrency` must leave room for the reviving task, which is short.
        journal: its URL.
        client: makes the client of a job.
        revive: when to look for jobs whose worker died, as cron writes it.
        dead_after: seconds without a heartbeat of procrastinate's worker after which it is taken for dead.
        lease: see `Journal.open`.
        **options: of every run.
    """
    interrupted = (asyncio.CancelledError, JobAborted, JournalError)
    again = RetryStrategy(wait=_WAIT, retry_exceptions=interrupted)

    @app.task(name="callsavvy.run_campaign", queue=QUEUE, retry=again)
    async def host(name: str) -> None:
        await run_campaign(journal, name, client=client, lease=lease, **options)

    @app.periodic(cron=revive)
    @app.task(name="callsavvy.revive", queue=REVIVE_QUEUE, queueing_lock="callsavvy.revive")
    async def revive_dead(timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
        stalled = await app.job_manager.get_stalled_jobs(task_name=host.name, seconds_since_heartbeat=dead_after)
        for job in stalled:
            await app.job_manager.retry_job(job)

    return host
