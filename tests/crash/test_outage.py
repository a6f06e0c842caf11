"""SIGTERM is told in tests/cli; here: a disk that is full, and a simulator that is away for a while."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import anyio
import pytest

from callsavvy_async import Callsavvy
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import Campaign, Journal, JournalUnavailableError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

from .account import Account, account

pytestmark = pytest.mark.sockets

SPEC = Campaign.sms("Hello", chunk_size=1)
PEOPLE = [f"+23480{n:08}" for n in range(600)]
FULL = 23


def client(url: str) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, timeout=5)


async def load(journal_url: str) -> None:
    async with Journal.open(journal_url) as journal:
        await (await journal.campaign("c", SPEC)).load(PEOPLE)


async def send(journal_url: str, url: str, patience: float = 0.0):
    async with Journal.open(journal_url, patience=patience) as journal, client(url) as callsavvy:
        return await (await journal.campaign("c", SPEC)).run(callsavvy)


def in_child(work) -> int:
    """Run in a forked process, and return its exit code."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(work())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.fixture
def service():
    with account(0, 0.001) as service:
        yield service


def test_a_full_disk_ends_the_run_and_reaches_nobody_twice(tmp_path: Path, service: Account) -> None:
    """When the journal cannot grow any more, the run ends with its error; with room again it is resumed from there."""
    url = f"sqlite:///{tmp_path}/x.db"
    anyio.run(load, url)

    def send_on_a_full_disk() -> int:
        log = (tmp_path / "x.db-wal").stat().st_size if (tmp_path / "x.db-wal").exists() else 0
        most = max((tmp_path / "x.db").stat().st_size, log) + 100_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            anyio.run(send, url, service.url)
        except JournalUnavailableError:
            return FULL
        return 0

    assert in_child(send_on_a_full_disk) == FULL
    charged = service.charged()
    assert 0 < len(charged) < len(PEOPLE)
    report = anyio.run(send, url, service.url)
    assert report.accepted + report.unknown == len(PEOPLE)
    assert report.unknown <= 8
    assert set(service.charged().values()) == {1}


def test_a_disk_that_is_full_from_the_start_sends_nothing(tmp_path: Path, service: Account) -> None:
    """Without the first write ahead no request leaves."""
    url = f"sqlite:///{tmp_path}/x.db"
    anyio.run(load, url)

    def send_on_a_full_disk() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            anyio.run(send, url, service.url)
        except JournalUnavailableError:
            return FULL
        return 0

    assert in_child(send_on_a_full_disk) == FULL
    assert not service.charged()


def test_a_load_on_a_full_disk_is_loaded_anew(tmp_path: Path) -> None:
    """Half a load is no load: it is refused, and done again when there is room."""
    url = f"sqlite:///{tmp_path}/x.db"

    def load_on_a_full_disk() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
        try:
            anyio.run(load, url)
        except JournalUnavailableError:
            return FULL
        return 0

    assert in_child(load_on_a_full_disk) == FULL
    anyio.run(load, url)

    async def status():
        async with Journal.open(url) as journal:
            campaign = await journal.campaign("c")
            return await campaign.status(), await campaign.verify()

    report, verified = anyio.run(status)
    assert (report.given, report.pending, report.input_complete) == (600, 600, True)
    assert verified.sound


def test_an_api_that_is_away_is_waited_for_by_resuming(tmp_path: Path) -> None:
    """When the API goes away midway the run stops with everything else pending; resumed later, it reaches the others."""
    url = f"sqlite:///{tmp_path}/x.db"
    anyio.run(load, url)
    simulator = Simulator(sms_balance=10_000)
    with serve(simulator) as server:
        port = int(server.url.split(":")[2].split("/")[0])

        async def send_until_half() -> None:
            async with Journal.open(url) as journal, client(server.url) as callsavvy:
                run = (await journal.campaign("c")).run(
                    callsavvy, on_progress=lambda report: report.accepted >= 200 and run.stop()
                )
                await run

        anyio.run(send_until_half)
    away = anyio.run(send, url, server.url)
    assert away.stopped is StopReason.UNREACHABLE
    assert away.accepted + away.pending == 600
    with serve(simulator, port=port) as server:
        report = anyio.run(send, url, server.url)
    assert report.complete
    assert simulator.ledger.charged == dict.fromkeys(PEOPLE, 1)
