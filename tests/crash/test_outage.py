"""A disk that is full, and an API that is away for a while. SIGTERM is told in tests/cli, jumping clocks in killer.py."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import anyio
import pytest

from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import CampaignReport, Journal
from callsavvy_async.simulator import Simulator, serve
from testbed.account import Account, account

from .full_disk import FULL, PEOPLE, client, load, on_a_full_disk, send

pytestmark = pytest.mark.sockets


@pytest.fixture
def service():
    with account(0, 0.001) as service:
        yield service


@pytest.mark.long
def test_a_full_disk_ends_the_run_and_reaches_nobody_twice(tmp_path: Path, service: Account) -> None:
    """When the journal cannot grow any more, the run ends with its error; with room again it is resumed from there."""
    url = f"sqlite:///{tmp_path}/x.db"
    anyio.run(load, url)

    log = tmp_path / "x.db-wal"
    size = max((tmp_path / "x.db").stat().st_size, log.stat().st_size if log.exists() else 0)
    assert on_a_full_disk(size + 100_000, url, service.url) == FULL
    charged = service.charged()
    assert 0 < len(charged) < len(PEOPLE)
    report = anyio.run(send, url, service.url)
    assert report.accepted + report.unknown == len(PEOPLE)
    assert report.unknown <= 8
    assert set(service.charged().values()) == {1}


@pytest.mark.long
def test_a_disk_that_is_full_from_the_start_sends_nothing(tmp_path: Path, service: Account) -> None:
    """Without the first write ahead no request leaves."""
    url = f"sqlite:///{tmp_path}/x.db"
    anyio.run(load, url)

    assert on_a_full_disk(4096, url, service.url) == FULL
    assert not service.charged()


@pytest.mark.long
def test_a_load_on_a_full_disk_is_loaded_anew(tmp_path: Path) -> None:
    """Half a load is no load: it is refused, and done again when there is room."""
    url = f"sqlite:///{tmp_path}/x.db"

    assert on_a_full_disk(150_000, url) == FULL
    anyio.run(load, url)

    async def status():
        async with Journal.open(url) as journal:
            campaign = await journal.campaign("c")
            return await campaign.status(), await campaign.verify()

    report, verified = anyio.run(status)
    assert (report.given, report.pending, report.input_complete) == (600, 600, True)
    assert verified.sound


@pytest.mark.long
def test_an_api_that_goes_away_for_a_while(tmp_path: Path) -> None:
    """When the API goes away midway, what it was told and never answered is unknown, and the rest is sent by resuming."""
    simulator, runs = away_for(1.0, f"sqlite:///{tmp_path}/x.db")
    assert len(runs) > 1
    assert any(report.stopped is StopReason.UNREACHABLE for report in runs[:-1])
    last = runs[-1]
    assert (last.accepted + last.unknown, last.stopped) == (len(PEOPLE), None)
    assert last.unknown <= 8
    assert last.accepted <= len(simulator.ledger.charged) <= last.accepted + last.unknown
    assert set(simulator.ledger.charged.values()) == {1}


def away_for(seconds: float, url: str) -> tuple[Simulator, list[CampaignReport]]:
    """Load and run; take the API away for so long in the middle of it; resume until nothing is pending."""
    simulator = Simulator(sms_balance=10_000, latency=0.01)
    half, back, runs = threading.Event(), threading.Event(), list[CampaignReport]()
    anyio.run(load, url)

    async def work(address: str) -> None:
        async with Journal.open(url) as journal, client(address, max_retries=0) as callsavvy:
            campaign = await journal.campaign("c")
            while not runs or runs[-1].pending:
                runs.append(
                    await campaign.run(callsavvy, on_progress=lambda report: report.accepted > 200 and half.set())
                )
                if runs[-1].pending and not back.is_set():
                    await anyio.sleep(0.1)

    with serve(simulator) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        worker = threading.Thread(target=anyio.run, args=(work, server.url))
        worker.start()
        assert half.wait(60)
    time.sleep(seconds)
    with serve(simulator, port=port):
        back.set()
        worker.join()
    return simulator, runs


if __name__ == "__main__":  # a minute, which is too long for every day: python -m tests.crash.test_outage 60
    with tempfile.TemporaryDirectory() as folder:
        account_, all_runs = away_for(float(sys.argv[1]), f"sqlite:///{folder}/x.db")
    print(f"{len(all_runs)} runs; in the end {all_runs[-1]}")
    print(f"charged: {len(account_.ledger.charged)} once, {sum(n > 1 for n in account_.ledger.charged.values())} twice")
