"""Campaigns hosted by PgQueuer, in the same PostgreSQL.

It gives a job whose worker sends no heartbeat to the next worker by itself: `PgQueuer.run(heartbeat_timeout=...)`.
"""

from __future__ import annotations

from typing import Unpack

from pgqueuer import PgQueuer
from pgqueuer.models import Job

from callsavvy_async.campaigns import RunOptions
from callsavvy_async.client import Callsavvy
from callsavvy_async.integrations.taskqueue.hosting import Enqueue, MakeClient, run_campaign

ENTRYPOINT = "callsavvy.run_campaign"


def add_campaigns(
    queuer: PgQueuer,
    journal: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Enqueue:
    """Add the entry point that hosts a runner: ``await enqueue("welcome-2026-11")``.

    Elsewhere: ``await queries.enqueue(ENTRYPOINT, b"welcome-2026-11")``.

    Args:
        queuer: yours.
        journal: its URL.
        client: makes the client of a job.
        lease: see `Journal.open`.
        **options: of every run.
    """

    @queuer.entrypoint(ENTRYPOINT)
    async def host(job: Job) -> None:
        await run_campaign(journal, (job.payload or b"").decode(), client=client, lease=lease, **options)

    async def enqueue(name: str) -> None:
        await queuer.qm.queries.enqueue(ENTRYPOINT, name.encode())

    return enqueue
