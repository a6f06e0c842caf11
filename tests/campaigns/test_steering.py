"""Commands from elsewhere while a campaign runs: pause, continue, stop, limits."""

from __future__ import annotations

import getpass
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from callsavvy_async import SMS, WhatsApp
from callsavvy_async.bulk.protocols import ChunkDeferredError
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import (
    Action,
    Campaign,
    CampaignReport,
    CampaignRun,
    Journal,
    JournalError,
    Phase,
    Runner,
    command_watch,
)
from callsavvy_async.campaigns.journal import commands, processes, repository, runs
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.sqlite import SQLite
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import Throttle
from callsavvy_async.campaigns.run_context import RetryingWriter, RunContext
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

from .conftest import only_postgresql, only_sqlite
from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_watch, "INTERVAL", 0.02)


async def loaded(journal: Journal, count: int = 200, **options) -> Campaign:
    campaign = await journal.campaign("c", HELLO, **{"chunk_size": 1, **options})
    await campaign.load(numbers(count))
    return campaign


def slow(seconds: float = 0.005) -> FakeClient:
    client = FakeClient()
    client.seconds = seconds
    return client


@asynccontextmanager
async def running(run: CampaignRun, client: FakeClient, requests: int = 2) -> AsyncIterator[None]:
    """Run beside the block, which begins after so many requests."""
    begun = anyio.Event()

    def look() -> None:
        if len(client.calls) >= requests:
            begun.set()

    client.on_wire = look
    async with anyio.create_task_group() as group:

        async def go() -> None:
            await run

        group.start_soon(go)
        await begun.wait()
        yield


@pytest.mark.every_journal
async def test_a_confirmed_pause_lets_nothing_begin(journal, url):
    """Given elsewhere without write access: nothing is in flight, nothing begins, and everybody is reached once afterwards."""
    run = (await loaded(journal)).run(client := slow(), max_in_flight=4)
    async with Journal.open(url, read_only=True) as other:
        async with running(run, client):
            paused = await other.pause("c", author="ada")
            assert (paused.confirmed, paused.workers, paused.command.phase) == (True, 1, Phase.PAUSED)
            status = await other.campaign("c")
            assert (await status.status()).in_flight == 0
            begun = len(client.calls)
            await anyio.sleep(0.1)
            assert 0 < len(client.calls) == begun < 200
            claimed = [worker.claimed for worker in await status.workers()]
            assert claimed == [0]  # a chunk that is claimed later is claimed with what was decided meanwhile
            continued = await other.go_on("c")
            assert continued.confirmed
        assert client.reached == dict.fromkeys(numbers(200), 1)
        given = await other.commands("c")
        assert [(each.number, each.action) for each in given] == [(1, "pause"), (2, "continue")]
        assert given[0].author == "ada"
        assert given[1].author.startswith(f"{getpass.getuser()}@")
        assert given[0].at <= given[1].at
    assert paused.as_dict()["confirmed"] is True


async def test_a_pause_waits_for_requests_in_flight(journal):
    """As long as a response is missing, the pause is not confirmed; the answer names the worker and its requests."""
    client = slow()
    client.hang = True
    run = (await loaded(journal, 5)).run(client, max_in_flight=2)
    async with running(run, client):
        paused = await journal.pause("c", wait=0.1)
        assert not paused.confirmed
        (waiting,) = paused.waiting
        assert (waiting.in_flight, waiting.name) == (2, runs.process_name())
        assert paused.as_dict()["waiting"] == [waiting.as_dict()]
        run.abandon()
        assert (await journal.confirm(paused, wait=5)).confirmed
    assert len(client.calls) == 2
    assert (run.report.unknown, run.report.pending) == (2, 3)


@pytest.mark.every_journal
async def test_a_stop_ends_this_run_and_later_ones(journal):
    """Until the campaign is continued; what was not sent stays pending."""
    campaign = await loaded(journal)
    run = campaign.run(client := slow(), max_in_flight=4)
    async with running(run, client):
        stopped = await journal.stop("c")
        assert (stopped.confirmed, stopped.workers) == (True, 0)
    assert run.report.stopped is StopReason.COMMAND
    begun = len(client.calls)
    assert 0 < begun < 200
    assert (await campaign.run(client)).stopped is StopReason.COMMAND
    assert len(client.calls) == begun
    assert (await journal.go_on("c")).confirmed
    assert (await campaign.run(client)).complete
    assert client.reached == dict.fromkeys(numbers(200), 1)


async def test_a_paused_campaign_waits_also_when_it_starts(journal):
    """A run that begins during a pause begins no request; its own pause and that of a command are independent."""
    run = (await loaded(journal, 10)).run(client := FakeClient())
    await journal.pause("c")
    async with anyio.create_task_group() as group:

        async def go() -> None:
            await run

        group.start_soon(go)
        run.pause()
        await anyio.sleep(0.1)
        run.go_on()
        await anyio.sleep(0.1)
        assert not client.calls
        await journal.go_on("c")
    assert len(client.calls) == 10


@pytest.mark.long
async def test_a_worker_that_runs_obeys_a_new_budget(journal):
    """`set_limits` lowers and raises `max_cost` while it sends, also without a limit before."""
    campaign = await loaded(journal, 60)
    run = campaign.run(client := slow(), max_in_flight=1)
    async with running(run, client):
        assert (await journal.set_limits("c", max_cost=30)).confirmed
    assert (run.report.stopped, run.report.accepted) == (StopReason.MAX_COST, 30)
    assert (await campaign.run(client, max_cost=20)).stopped is StopReason.MAX_COST  # lower than the command's
    assert len(client.calls) == 30
    await journal.set_limits("c", max_cost=45)
    assert (await campaign.run(client, max_cost=100)).accepted == 45
    run = campaign.run(client, max_cost=46, max_in_flight=1)
    await journal.set_limits("c", max_cost=1000)
    assert (await run).accepted == 46  # the option was given when the run began


async def test_a_worker_that_runs_gets_more_budget(journal):
    """A limit that is raised in time never stops the run."""
    run = (await loaded(journal, 60)).run(client := slow(0.02), max_in_flight=1, max_cost=40)
    async with running(run, client):
        assert (await journal.set_limits("c", max_cost=100)).confirmed
    assert (run.report.stopped, run.report.accepted) == (None, 60)


async def test_the_runs_of_a_worker_share_their_options(journal, url):
    """What a worker was started with is older than a command to its first run, also for its next runs."""
    runner = Runner(url, "c", max_cost=5)
    campaign = await loaded(journal, 20)
    first = await runner._send(campaign, FakeClient(), CampaignReport(name="c"))
    assert first.accepted == 5
    await journal.set_limits("c", max_cost=12)
    assert (await runner._send(campaign, FakeClient(), first)).accepted == 12


async def test_a_worker_changes_its_number_in_flight(journal):
    """More requests leave at a time as soon as the command is obeyed, and fewer after the surplus ones ended."""
    client, several, most = slow(0.05), anyio.Event(), 0

    def look(_: CampaignReport) -> None:
        nonlocal most
        most = max(most, len(client.calls) - run.report.requests + 1)
        if most >= 4:
            several.set()

    run = (await loaded(journal, 150)).run(client, max_in_flight=1, on_progress=look)
    async with running(run, client):
        assert most <= 1
        assert (await journal.set_limits("c", max_in_flight=8)).confirmed
        with anyio.fail_after(60):
            await several.wait()
        assert (await journal.set_limits("c", max_in_flight=2)).confirmed
        await anyio.sleep(0.2)
        most = 0
        await anyio.sleep(0.2)
        assert most <= 2
        await journal.set_limits("c", max_in_flight=64)
    assert client.reached == dict.fromkeys(numbers(150), 1)


async def test_a_worker_keeps_to_a_rate(journal):
    """The rate is for the whole campaign; a new one counts at once, however long the old one made a request wait."""
    run = (await loaded(journal, 50)).run(client := slow(0.001), max_in_flight=1)
    async with running(run, client):
        assert (await journal.set_limits("c", rate="1/h")).confirmed
        begun = len(client.calls)
        await anyio.sleep(0.2)
        assert len(client.calls) - begun <= 2  # one that waits for the limiter, and the first of the new rate
        assert (await journal.set_limits("c", rate="1000/s")).confirmed
    assert run.report.accepted == 50


def test_a_throttle_spaces_requests() -> None:
    """One request for each interval; none is saved up."""
    throttle = Throttle(2.0)
    assert [throttle.take(now) for now in (0.0, 1.0, 2.0, 9.0, 10.0, 11.0)] == [True, False, True, True, False, True]
    assert throttle.delay(12.0) == 1.0
    throttle.interval = 3600.0
    assert throttle.delay(12.0) == 3599.0
    throttle.interval = 1.5
    assert throttle.delay(12.0) == 0.5  # a shorter interval counts at once
    throttle.interval = 0.0
    assert throttle.delay(12.0) == 0.0


async def test_what_is_wrong_with_a_command_is_said(journal):
    """Before it is recorded: no campaign, no limit, a limit that means nothing, a channel without a price."""
    await loaded(journal, 1)
    await journal.campaign("w", WhatsApp("Hello", channel_uid="uid"))
    for attempt, error, text in (
        (journal.pause("d"), InvalidRequestError, "no campaign 'd'"),
        (journal.set_limits("c"), InvalidRequestError, "no limit is given"),
        (journal.set_limits("c", rate="fast"), ConfigurationError, "rate is 'fast'"),
        (journal.set_limits("c", max_in_flight=0), ConfigurationError, "max_in_flight is 0"),
        (journal.set_limits("c", max_cost=-1), ConfigurationError, "max_cost is -1"),
        (journal.set_limits("w", max_cost=5), InvalidRequestError, "neither documents nor reports"),
    ):
        with pytest.raises(error, match=text):
            await attempt
    assert await journal.commands("c") == await journal.commands("w") == ()


async def test_a_later_command_supersedes(journal):
    """Whoever waits for a pause learns that another person continued; a limit set meanwhile changes nothing."""
    await loaded(journal, 1)
    paused = await journal.pause("c")
    await journal.set_limits("c", rate="10/s", author="bob")
    assert (await journal.confirm(paused, wait=0)).confirmed
    await journal.go_on("c", author="eve")
    answer = await journal.confirm(paused, wait=5)
    assert not answer.confirmed
    assert answer.superseded_by is not None
    assert (answer.superseded_by.author, answer.as_dict()["superseded_by"]["action"]) == ("eve", "continue")


@only_sqlite
async def test_the_run_of_a_killed_process_is_not_waited_for(url, raw):
    """In SQLite the operating system says whether a process has the journal open."""
    async with Journal.open(url) as journal:
        await loaded(journal, 5)
        await journal._writer.run(lambda cursor: runs.begin(cursor, 1, None))
        async with Journal.open(url, read_only=True) as other:
            waits = await other.pause("c", wait=0)
            assert [worker.until for worker in waits.waiting] == [None]
    async with Journal.open(url, read_only=True) as other:
        assert (await other.confirm(waits, wait=0)).confirmed
        assert (await other.pause("c")).confirmed


@pytest.mark.every_journal
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_a_killed_worker_of_this_machine_is_not_waited_for(url, raw):
    """Its process has ended, so its lease does not matter; it counts as no worker."""
    place, number, began = processes.identity().split()
    async with Journal.open(url) as journal:
        await loaded(journal, 5)
        await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 3600.0))
        waits = await journal.pause("c", wait=0)
        assert (len(waits.waiting), waits.workers) == (1, 0)
        raw(f"UPDATE run SET process = '{place} {number} {int(began) - 1}'")
        paused = await journal.confirm(waits, wait=60)
        assert (paused.confirmed, paused.workers) == (True, 0)


@only_postgresql
async def test_a_worker_that_is_cut_off_is_waited_for_until_its_lease_ends(url, raw):
    """The answer says until when; after that the pause is confirmed."""
    async with Journal.open(url) as journal:
        await loaded(journal, 5)
        await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))
        waits = await journal.pause("c", wait=0)
        ((beat, lease),) = raw("SELECT heartbeat, lease FROM run")
        assert [worker.until for worker in waits.waiting] == [beat + lease]
        raw.let_leases_pass()
        assert (await journal.confirm(waits, wait=0)).confirmed


@pytest.mark.every_journal
async def test_a_run_whose_lease_ended_sends_nothing(journal):
    """A process that was suspended between write-ahead and first byte: a pause may be confirmed without it."""
    await loaded(journal, 1)
    run_id = await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))
    context = RunContext(1, run_id, RetryingWriter(journal._writer, 1), Reach(journal._database, 1, "sms"))

    def claim(cursor):
        return repository.claim(cursor, 1, context.run_id, zone="", since=0, limit=1, text="Hello").chunks

    (chunk,) = await journal._writer.run(claim)
    sink = JournalSink(context, "Hello", CampaignReport(), lambda _: True, None)
    context._lease_ends = anyio.current_time()
    with pytest.raises(ChunkDeferredError):
        await sink.before_sending(chunk, "00ff")
    status = await (await journal.campaign("c")).status()
    assert (status.pending, status.in_flight) == (1, 0)
    assert not context.held


async def test_a_request_that_a_command_forbids_waits_for_the_next(journal):
    """Its chunk is pending again, and the run looks at the commands at once."""
    await loaded(journal, 1)
    run_id = await journal._writer.run(lambda cursor: runs.begin(cursor, 1, None))
    context = RunContext(1, run_id, RetryingWriter(journal._writer, 1), Reach(journal._database, 1, "sms"))

    def claim(cursor):
        return repository.claim(cursor, 1, run_id, zone="", since=0, limit=1, text="Hello").chunks

    (chunk,) = await journal._writer.run(claim)
    await journal.pause("c", wait=0)
    held: list[bool] = []
    sink = JournalSink(context, "Hello", CampaignReport(), lambda _: True, None, on_hold=lambda: held.append(True))
    with pytest.raises(ChunkDeferredError):
        await sink.before_sending(chunk, "00ff")
    assert held
    await journal.go_on("c", wait=0)
    (again,) = await journal._writer.run(claim)
    await sink.before_sending(again, "00ff")
    assert (await (await journal.campaign("c")).status()).in_flight == 1


@only_sqlite
async def test_the_commands_of_another_journal_do_not_count(url, raw):
    """A control file that stayed behind when its journal was deleted says nothing about the next one of that name."""
    async with Journal.open(url) as journal:
        await loaded(journal, 1)
        await journal.pause("c")
    control = raw.path.with_name("journal.db.control")
    old = control.read_bytes()
    raw.path.unlink()
    async with Journal.open(url) as journal:
        await loaded(journal, 1)
        assert await journal.commands("c") == ()
        assert (await (await journal.campaign("c")).run(FakeClient())).complete
    control.write_bytes(old)
    async with Journal.open(url, read_only=True) as reader:
        assert await reader.commands("c") == ()
        await reader.pause("c")
        assert [command.action for command in await reader.commands("c")] == [Action.PAUSE]
    control.unlink()
    async with Journal.open(url, read_only=True) as reader:
        assert await reader.commands("c") == ()


@only_sqlite
async def test_a_control_file_that_cannot_be_written_is_named(url, raw):
    """The command is not recorded, and the error says which file is at fault."""
    async with Journal.open(url) as journal:
        await loaded(journal, 1)
    control = raw.path.with_name("journal.db.control")
    control.unlink()
    control.mkdir()
    with pytest.raises(JournalError, match=r"journal\.db\.control"):
        async with Journal.open(url):
            pass


@pytest.mark.every_journal
async def test_a_command_that_fails_leaves_nothing(journal):
    """Its transaction is rolled back, and the journal can be used."""
    await loaded(journal, 1)
    writer = journal._writer

    def fail(_) -> None:
        raise InvalidRequestError("no")

    with pytest.raises(InvalidRequestError):
        await writer.run(lambda cursor: writer.database.steer(cursor, fail), alone=True)
    assert (await journal.pause("c")).command.number == 1


async def test_a_user_without_a_name_can_give_commands(journal, monkeypatch):
    """In a container the user may have no name."""

    def fail() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", fail)
    await loaded(journal, 1)
    assert (await journal.pause("c")).command.author.startswith("unknown@")


def test_only_a_reader_asks_whether_the_journal_is_abandoned(tmp_path) -> None:
    """The process that writes it holds the lock itself."""
    database = SQLite(f"sqlite:///{tmp_path}/journal.db", read_only=False)
    database.open()
    reader = SQLite(f"sqlite:///{tmp_path}/journal.db", read_only=True)
    assert not database.is_abandoned()
    assert not reader.is_abandoned()
    assert commands.current(database.cursor(), 1).number == 0
    database.close()
    assert reader.is_abandoned()
