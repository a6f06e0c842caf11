"""Post events to a uvicorn of two processes that are killed with -9, and compare what it acknowledged with the ledger.

python -m tests.crash.inbox --events 5000 --kills 50 --seed 1

Each event sends one message to a number of its own. In the end each acknowledged event must be handled: its message was charged
once, or its outcome is unknown. No message may be charged twice, also not of events that were posted again because their
first acknowledgement was lost: those are events of their own, so each has a number of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import anyio
import attrs
import httpx
import psycopg

from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer
from tests.crash.inbox_app import SECRET, number_of

FAULTS = 0.002
"""Probability of each kind of fault of the API."""
LATENCY = 0.005
LONGEST_DRAIN = 120.0


@attrs.define
class Summary:
    """What the run came to."""

    events: int = 0
    acknowledged: int = 0
    kills: int = 0
    p50: float = 0.0
    p99: float = 0.0
    charged: int = 0
    unknown: int = 0
    lost: int = 0
    twice: int = 0
    waiting: int = 0

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.waiting)

    def __str__(self) -> str:
        return (
            f"{self.events:,} events, {self.acknowledged:,} acknowledged, {self.kills} kills;"
            f" acknowledged in {self.p50 * 1e3:.1f} ms at p50, {self.p99 * 1e3:.1f} ms at p99\n"
            f"of the acknowledged {self.charged:,} were charged once and {self.unknown:,} are unknown\n"
            f"lost {self.lost}, charged twice {self.twice}, still waiting {self.waiting}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=100.0, help="events a second")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # the faults are our own
    with PostgresServer() as server, account(given.seed, LATENCY) as service:
        service.fail(FAULTS)
        summary = torment(server.new_database(), service, given.events, given.kills, given.rate, given.seed)
    print(f"seed {given.seed}, {given.rate:g} events a second")
    print(summary)
    sys.exit(not summary.good)


def torment(journal: str, service: Account, events: int, kills: int, rate: float, seed: int) -> Summary:
    """Post events while processes are killed, wait until all are handled, and judge."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "tests.crash.inbox_app:application", "--factory", "--workers", "2"]
    environment = {**os.environ, "INBOX_JOURNAL": journal, "INBOX_API": service.url}
    options = ["--port", str(port), "--log-level", "critical"]
    with subprocess.Popen([*command, *options], env=environment) as uvicorn:
        try:
            poster = Poster(f"http://127.0.0.1:{port}/{SECRET}", events, rate)
            done = anyio.run(_post_and_kill, poster, uvicorn.pid, kills, random.Random(seed))
            waiting = _drain(journal)
        finally:
            uvicorn.terminate()
    summary = _judge(journal, service, poster)
    summary.kills, summary.waiting = done, waiting
    return summary


@attrs.define
class Poster:
    """Posts each event once, and notes which were acknowledged."""

    url: str
    events: int
    rate: float
    acknowledged: set[int] = attrs.field(factory=set)
    seconds: list[float] = attrs.field(factory=list)
    posted: int = 0

    async def post_all(self) -> None:
        """Post at an even rate, whatever happens to the server."""
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=30) as client, anyio.create_task_group() as group:
            for ticket in range(self.events):
                await anyio.sleep(max(0.0, began + ticket / self.rate - time.monotonic()))
                self.posted += 1
                group.start_soon(self._post, client, ticket)

    async def _post(self, client: httpx.AsyncClient, ticket: int) -> None:
        began = time.monotonic()
        with suppress(httpx.HTTPError):
            response = await client.post(self.url, json={"event": "newTicketOpened", "ticket_id": str(ticket)})
            if response.status_code == 200:
                self.acknowledged.add(ticket)
                self.seconds.append(time.monotonic() - began)


async def _post_and_kill(poster: Poster, uvicorn: int, kills: int, draw: random.Random) -> int:
    done = 0
    with anyio.fail_after(60):
        async with httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    await client.get(poster.url)
                    break
                await anyio.sleep(0.1)
    async with anyio.create_task_group() as group:
        group.start_soon(poster.post_all)
        while done < kills:
            at = poster.events * (done + draw.random()) / kills
            while poster.posted < min(at, poster.events):  # noqa: ASYNC110 - nobody sets an event
                await anyio.sleep(0.01)
            workers = _children(uvicorn)
            if workers:
                with suppress(ProcessLookupError):
                    os.kill(draw.choice(workers), signal.SIGKILL)
                    done += 1
            await anyio.sleep(0.01)
    return done


def _children(parent: int) -> list[int]:
    """Return the worker processes of uvicorn, without Python's own resource tracker."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def _drain(journal: str) -> int:
    """Wait until no event waits, and return how many do in the end."""
    ends_at, waiting = time.monotonic() + LONGEST_DRAIN, -1
    with psycopg.connect(journal, autocommit=True) as connection:
        while waiting and time.monotonic() < ends_at:
            time.sleep(0.2)
            ((waiting,),) = connection.execute("SELECT count(*) FROM inbox WHERE state = 'pending'").fetchall()
    return waiting


def _judge(journal: str, service: Account, poster: Poster) -> Summary:
    charged = service.charged()
    with psycopg.connect(journal) as connection:
        unknown = {name for (name,) in connection.execute("SELECT name FROM keyed WHERE outcome = 'unknown'")}
        dead = connection.execute("SELECT name, body FROM inbox WHERE state = 'dead'").fetchall()
    tickets = {int(json.loads(body)["ticket_id"]) for name, body in dead if f"{name}-thanks" in unknown}
    summary = Summary(poster.events, len(poster.acknowledged), unknown=len(tickets & poster.acknowledged))
    cuts = statistics.quantiles(poster.seconds, n=100)
    summary.p50, summary.p99 = cuts[49], cuts[98]
    for ticket in range(poster.events):
        charges = charged[number_of(ticket)]
        summary.twice += charges > 1
        if ticket in poster.acknowledged:
            summary.charged += charges == 1 and ticket not in tickets
            summary.lost += charges == 0 and ticket not in tickets
    return summary


if __name__ == "__main__":
    main()
