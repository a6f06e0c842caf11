"""Campaigns in PgQueuer, in the same PostgreSQL.

PgQueuer restarts a job whose process sends no heartbeat: `PgQueuer.run(heartbeat_timeout=...)`. A process that shuts down
waits for its jobs without a notification, so each job watches for the shutdown. Otherwise it would last to the campaign's end.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Unpack

from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from callsavvy_async.campaigns import JournalError, RunOptions
from callsavvy_async.campaigns.run import run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.integrations.taskqueue.hosting import Enqueue, MakeClient, run_campaign

ENTRYPOINT = "callsavvy.run_campaign"
_WAIT = timedelta(seconds=5)
"""Delay before the retry of an interrupted job."""


def add_campaigns(
    queuer: PgQueuer,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Enqueue:
    """Add the entry point for workers, and return a function to enqueue one: ``await enqueue("welcome-2026-11")``.

    Other processes use ``await queries.enqueue(ENTRYPOINT, b"welcome-2026-11")``. A job that a shutdown or an outage of the
    journal interrupts is retried.

    Args:
        queuer: your queuer.
        journal: URL of the journal.
        client: creates the client of a job.
        lease: see `Journal.open`.
        **options: options of each run.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
    """
    run_settings(**options)  # validates at start-up

    @queuer.entrypoint(ENTRYPOINT)
    async def host(job: Job) -> None:
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - a coroutine runs in a task
        watch = asyncio.create_task(_cancel_at_shutdown(queuer, own))
        try:
            await run_campaign(journal, (job.payload or b"").decode(), client=client, lease=lease, **options)
        except (asyncio.CancelledError, JournalError) as error:
            if isinstance(error, asyncio.CancelledError) and not queuer.shutdown.is_set():
                raise
            own.uncancel()
            raise RetryRequested(_WAIT, str(error) or "the worker shuts down") from error
        finally:
            watch.cancel()

    async def enqueue(name: str) -> None:
        await queuer.qm.queries.enqueue(ENTRYPOINT, name.encode())

    return enqueue


async def _cancel_at_shutdown(queuer: PgQueuer, job: asyncio.Task[object]) -> None:
    await queuer.shutdown.wait()
    job.cancel()
