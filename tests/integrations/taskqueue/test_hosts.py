"""Runners hosted by real engines, on a real PostgreSQL and a real Redis: what is left when a host is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from callsavvy_async import Callsavvy
from callsavvy_async.campaigns import Campaign, CampaignReport, Journal
from callsavvy_async.integrations.taskqueue import CampaignStoppedError, run_campaign
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.sockets

HOSTS = Path(__file__).with_name("hosts.py")
PEOPLE = [f"+234599{n:07}" for n in range(300)]
IN_FLIGHT = 4


async def load(journal: str) -> None:
    async with Journal.open(journal) as opened:
        await (await opened.campaign("c", Campaign.sms("Hello", chunk_size=1))).load(PEOPLE)


async def status(journal: str) -> CampaignReport:
    async with Journal.open(journal, read_only=True) as opened:
        return await (await opened.campaign("c")).status()


@pytest.mark.parametrize("engine", ["procrastinate", "pgqueuer", "taskiq"])
def test_a_killed_host_loses_nothing(engine: str, postgres: PostgresServer, redis: RedisServer) -> None:
    """A host is killed with -9 amid a campaign; another finishes it: nobody lost, nobody twice, unknown <= in flight."""
    journal = postgres.new_database()
    queue = redis.url if engine == "taskiq" else postgres.new_database()
    anyio.run(load, journal)
    amid = threading.Event()

    def latency(_: object) -> float:
        if account.ledger.totals.requests >= 60:
            amid.set()
        return 0.04

    account = Simulator(sms_balance=100_000, latency=latency)
    with serve(account) as server:
        settings = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "CALLSAVVY_BASE_URL": server.url,
            "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
            "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
        }
        command = [sys.executable, str(HOSTS), engine]
        subprocess.run([*command, "enqueue", journal, queue], env=settings, check=True, timeout=60)
        with subprocess.Popen([*command, "work", journal, queue], env=settings) as first:
            assert amid.wait(60)
            first.kill()
        if engine == "taskiq":  # it gives back what died only when something new comes
            subprocess.run([*command, "enqueue", journal, queue], env=settings, check=True, timeout=60)
        with subprocess.Popen([*command, "work", journal, queue], env=settings) as second:
            end = time.monotonic() + 90
            while (report := anyio.run(status, journal)).pending + report.in_flight:
                assert time.monotonic() < end, report
                assert second.poll() is None
                time.sleep(0.2)
            second.kill()
    assert report.accepted + report.unknown == len(PEOPLE)
    assert report.unknown <= IN_FLIGHT
    assert set(account.ledger.charged.values()) == {1}
    assert report.accepted <= len(account.ledger.charged) <= len(PEOPLE)


async def test_a_job_that_cannot_go_on_fails(anyio_backend: object, client: Callsavvy, tmp_path: Path) -> None:
    """A campaign that stops early fails its job and says why; one that is through returns its sums, also once more."""
    journal = f"sqlite:///{tmp_path / 'j.db'}"
    await load(journal)
    with pytest.raises(CampaignStoppedError, match="max_cost"):
        await run_campaign(journal, "c", client=lambda: client, max_cost=5)
    for _ in range(2):
        assert (await run_campaign(journal, "c", client=lambda: client, max_in_flight=32))["accepted"] == 300
