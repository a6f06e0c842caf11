"""Programs that host a runner under an engine: ``python hosts.py ENGINE enqueue|work JOURNAL QUEUE``."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

LEASE = 2.0
OPTIONS = {"lease": LEASE, "max_in_flight": 4}


async def procrastinate(what: str, journal: str, queue: str) -> None:
    from procrastinate import App, PsycopgConnector

    from callsavvy_async.integrations.taskqueue.procrastinate import add_campaigns

    app = App(connector=PsycopgConnector(conninfo=queue))
    enqueue = add_campaigns(app, journal, revive="* * * * * */1", dead_after=2.0, **OPTIONS)
    async with app.open_async():
        if what == "enqueue":
            await app.schema_manager.apply_schema_async()
            await enqueue("c")
        else:
            await app.run_worker_async(concurrency=2, update_heartbeat_interval=0.5, fetch_job_polling_interval=0.2)


async def pgqueuer(what: str, journal: str, queue: str) -> None:
    import psycopg
    from pgqueuer import PgQueuer
    from pgqueuer.db import PsycopgDriver

    from callsavvy_async.integrations.taskqueue.pgqueuer import add_campaigns

    async with await psycopg.AsyncConnection.connect(queue, autocommit=True) as connection:
        queuer = PgQueuer(PsycopgDriver(connection))
        enqueue = add_campaigns(queuer, journal, **OPTIONS)
        if what == "enqueue":
            await queuer.queries.install()
            await enqueue("c")
            return
        await queuer.run(dequeue_timeout=timedelta(seconds=0.5), heartbeat_timeout=timedelta(seconds=2))


async def taskiq(what: str, journal: str, queue: str) -> None:
    from taskiq.api import run_receiver_task
    from taskiq_redis import RedisStreamBroker

    from callsavvy_async.integrations.taskqueue.taskiq import add_campaigns

    broker = RedisStreamBroker(
        queue, queue_name=f"jobs:{journal}", consumer_id="0", idle_timeout=2_000, xread_block=200,
        unacknowledged_lock_timeout=2.0,
    )  # fmt: skip
    enqueue = add_campaigns(broker, journal, **OPTIONS)
    broker.is_worker_process = what == "work"
    await broker.startup()
    if what == "enqueue":
        await enqueue("c")
        await broker.shutdown()
    else:
        await run_receiver_task(broker)


if __name__ == "__main__":
    asyncio.run({"procrastinate": procrastinate, "pgqueuer": pgqueuer, "taskiq": taskiq}[sys.argv[1]](*sys.argv[2:]))
