"""Campaigns hosted by PgQueuer, in the same PostgreSQL.

It gives a job whose worker sends no heartbeat to the next worker by itself: `PgQueuer.run(heartbeat_timeout=...)`. A worker
that shuts down tells its jobs nothing and waits for them, so a job looks for that itself, or it would stay to the campaign's
end.
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
"""Before a job that was interrupted is tried again."""


def add_campaigns(
    queuer: PgQueuer,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Enqueue:
    """Add the entry point that hosts a runner: ``await enqueue("welcome-2026-11")``.

    Elsewhere: ``await queries.enqueue(ENTRYPOINT, b"welcome-2026-11")``. What a shutdown or a journal that was away
    interrupted is tried again.

    Args:
        queuer: yours.
        journal: its URL.
        client: makes the client of a job.
        lease: see `Journal.open`.
        **options: of every run.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
    """
    run_settings(**options)  # raises what a run would raise

    @queuer.entrypoint(ENTRYPOINT)
    async def host(job: Job) -> None:
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - a coroutine runs in one
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
