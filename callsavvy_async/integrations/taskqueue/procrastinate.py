"""Campaigns hosted by procrastinate, in the same PostgreSQL.

It never repeats a job by itself: one whose worker died stays "doing". So a periodic task gives such jobs back. A worker that
shuts down waits for its jobs, for `shutdown_graceful_timeout` at most: give it one, or it stays to the campaign's end.
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
) -> Enqueue:
    """Add the task that hosts a runner, and the one that revives it: ``await enqueue("welcome-2026-11")``.

    What a shutdown or a journal that was away interrupted is tried again.

    Args:
        app: yours. A worker's `concurrency` must leave room for the reviving task, which is short.
        journal: its URL.
        client: makes the client of a job.
        revive: when to look for jobs whose worker died, as cron writes it.
        dead_after: seconds without a heartbeat of procrastinate's worker after which it is taken for dead.
        lease: see `Journal.open`.
        **options: of every run.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
    """
    run_settings(**options)  # raises what a run would raise

    @app.task(name="callsavvy.run_campaign", queue=QUEUE, retry=_Again())
    async def host(name: str) -> None:
        await run_campaign(journal, name, client=client, lease=lease, **options)

    @app.periodic(cron=revive)
    @app.task(name="callsavvy.revive", queue=REVIVE_QUEUE, queueing_lock="callsavvy.revive")
    async def revive_dead(timestamp: int) -> None:  # noqa: ARG001 - procrastinate gives it
        stalled = await app.job_manager.get_stalled_jobs(task_name=host.name, seconds_since_heartbeat=dead_after)
        for job in stalled:
            await app.job_manager.retry_job(job)

    async def enqueue(name: str) -> None:
        await host.defer_async(name=name)

    return enqueue


class _Again(BaseRetryStrategy):
    """Tries what was interrupted again, and nothing else."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        interrupted = isinstance(exception, asyncio.CancelledError | JobAborted | JournalError)
        return RetryDecision(retry_in={"seconds": _WAIT}) if interrupted else None
