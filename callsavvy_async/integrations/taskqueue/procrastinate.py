"""Campaigns in procrastinate, in the same PostgreSQL.

procrastinate leaves a job whose process died in the status "doing", so a periodic task restarts it. A process that shuts down
waits for its jobs for `shutdown_graceful_timeout`: set it, or the process lasts to the campaign's end.
"""

from __future__ import annotations

import asyncio
from typing import Unpack

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job

from callsavvy_async.campaigns import JournalError, RunOptions
from callsavvy_async.campaigns.run import run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.integrations.taskqueue.hosting import Enqueue, MakeClient, run_campaign

QUEUE = "callsavvy"
REVIVE_QUEUE = "callsavvy-revive"
_WAIT = 5
"""Seconds before the retry of an interrupted job."""


def add_campaigns(
    app: App,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    revive: str = "* * * * *",
    dead_after: float = 30.0,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Enqueue:
    """Add the task for workers and its restart task, and return a function to enqueue one: ``await enqueue("welcome-2026-11")``.

    A job that a shutdown or an outage of the journal interrupts is retried.

    Args:
        app: your app. Its `concurrency` must leave room for the restart task, which is short.
        journal: URL of the journal.
        client: creates the client of a job.
        revive: schedule of the restart task, in cron syntax.
        dead_after: seconds without a heartbeat after which a procrastinate worker counts as dead.
        lease: see `Journal.open`.
        **options: options of each run.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
    """
    run_settings(**options)  # validates at start-up

    @app.task(name="callsavvy.run_campaign", queue=QUEUE, retry=_RetryInterrupted())
    async def host(name: str) -> None:
        await run_campaign(journal, name, client=client, lease=lease, **options)

    @app.periodic(cron=revive)
    @app.task(name="callsavvy.revive", queue=REVIVE_QUEUE, queueing_lock="callsavvy.revive")
    async def revive_dead(timestamp: int) -> None:  # noqa: ARG001 - procrastinate passes it
        stalled = await app.job_manager.get_stalled_jobs(task_name=host.name, seconds_since_heartbeat=dead_after)
        for job in stalled:
            await app.job_manager.retry_job(job)

    async def enqueue(name: str) -> None:
        await host.defer_async(name=name)

    return enqueue


class _RetryInterrupted(BaseRetryStrategy):
    """Retries only interrupted jobs."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        interrupted = isinstance(exception, asyncio.CancelledError | JobAborted | JournalError)
        return RetryDecision(retry_in={"seconds": _WAIT}) if interrupted else None
