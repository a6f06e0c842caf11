"""A runner: one of any number that work on a campaign, from its joining to its leaving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.report import ChunkResult, StopReason
from callsavvy_async.campaigns import Campaign, CampaignReport, Journal, JournalUnavailableError, Runner
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.sends import SendReceipt
from tests.bulk.fakes import not_sent

from .conftest import only_postgresql
from .fakes import FakeClient, Raising, accept, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")
POLL = 0.01


async def load(url: str, count: int = 100) -> None:
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", HELLO, chunk_size=10)).load(numbers(count))


@asynccontextmanager
async def working(runner: Runner, client: FakeClient) -> AsyncIterator[list[CampaignReport]]:
    """Let a runner work beside the block; the list gets its report by the end of the block."""
    reports: list[CampaignReport] = []

    async def work() -> None:
        reports.append(await runner.work(client))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            yield reports


class Sums:
    """Takes results; `are_in` is set once everybody is in an accepted call."""

    def __init__(self, everybody: int = 100) -> None:
        self._missing = everybody
        self.are_in = anyio.Event()

    def __call__(self, result: ChunkResult) -> None:
        self._missing -= len(result.recipients)
        if not self._missing:
            self.are_in.set()


class Waiting(Runner):
    """A runner that a test can wait for, instead of guessing how long it takes."""

    def __init__(self, url: str, **options: object) -> None:
        super().__init__(url, "c", forever=True, poll=POLL, **options)
        self._paused = anyio.Event()

    async def _pause(self) -> None:
        await super()._pause()
        self._paused.set()

    async def paused(self, times: int) -> None:
        """Return after this many further pauses."""
        for _ in range(times):
            self._paused = anyio.Event()
            await self._paused.wait()


class Moody:
    """Refuses the first call that it gets, and no other."""

    def __init__(self) -> None:
        self._refused = False

    def __call__(self, recipients: list[str]) -> SendReceipt:
        if self._refused:
            return accept(recipients)
        self._refused = True
        raise not_sent()


async def test_sends_everything_and_counts_it(url):
    """A runner sends what is pending, tells of each call, and returns the campaign's sums."""
    await load(url)
    told: list[ChunkResult] = []
    runner = Runner(url, "c", poll=POLL, on_result=told.append)
    report = await runner.work(client := FakeClient())
    assert report.complete
    assert client.reached == dict.fromkeys(numbers(100), 1)
    assert runner.status.requests == {"accepted": len(told)} == {"accepted": 10}
    assert runner.status.recipients == {"accepted": 100}
    assert (runner.status.joined, runner.status.sending, runner.status.stopping) == (False, False, False)


async def test_finds_nothing_to_do(url):
    """Where everything was sent it returns the sums and sends nothing."""
    await load(url)
    for _ in range(2):
        report = await Runner(url, "c", poll=POLL).work(client := FakeClient())
        assert report.complete
    assert not client.calls


async def test_another_run_sends_what_was_refused_for_the_moment(url):
    """What one run gave back is tried by the next one, without a person."""
    await load(url)
    report = await Runner(url, "c", poll=POLL).work(client := FakeClient(Moody()))
    assert report.complete
    assert client.reached.total() == 100 + 10


async def test_leaves_what_nobody_can_send(url):
    """When runs change nothing any more it returns; the rest is pending, and nobody was told to stop."""
    await load(url, 20)
    report = await Runner(url, "c", poll=POLL).work(FakeClient(Raising(not_sent())))
    assert (report.pending, report.accepted, report.stopped) == (20, 0, None)


async def test_a_run_that_stops_early_ends_it(url):
    """The reason of a run that stopped is the runner's."""
    await load(url)
    report = await Runner(url, "c", poll=POLL, max_cost=30).work(FakeClient())
    assert report.stopped is StopReason.MAX_COST
    assert report.cost == 30


async def test_stopped_it_waits_for_what_is_on_the_wire(url):
    """After `stop` no call starts, those under way are counted, and the report says that it was told to."""
    await load(url)
    runner = Runner(url, "c", poll=POLL, max_in_flight=2)
    client = FakeClient()
    client.on_wire = runner.stop
    report = await runner.work(client)
    assert report.stopped is StopReason.INTERRUPTED
    assert (report.unknown, report.in_flight) == (0, 0)
    assert 0 < report.accepted == client.reached.total() < 100
    assert runner.status.stopping


async def test_abandoned_it_does_not_wait(url):
    """After `abandon` what is on the wire is unknown, and everything else pending."""
    await load(url)
    runner = Runner(url, "c", poll=POLL, max_in_flight=1)
    client = FakeClient()
    client.hang, client.on_wire = True, runner.abandon
    with anyio.fail_after(60):
        report = await runner.work(client)
    assert (report.unknown, report.pending) == (10, 90)


@pytest.mark.parametrize("leave", [Runner.stop, Runner.abandon])
async def test_stopped_before_it_began_it_sends_nothing(url, leave):
    """A runner that was told to leave before it joined leaves."""
    await load(url)
    runner = Runner(url, "c", poll=POLL)
    leave(runner)
    report = await runner.work(client := FakeClient())
    assert (report.stopped, client.calls) == (StopReason.INTERRUPTED, [])


async def test_stopped_while_it_joins_it_sends_nothing(url, monkeypatch):
    """Told to leave between looking at the campaign and its run, it begins no call."""
    await load(url)
    runner = Runner(url, "c", poll=POLL)
    status = Campaign.status

    async def look(campaign: Campaign) -> CampaignReport:
        runner.stop()
        return await status(campaign)

    monkeypatch.setattr(Campaign, "status", look)
    report = await runner.work(client := FakeClient())
    assert (report.stopped, report.pending, client.calls) == (StopReason.INTERRUPTED, 100, [])


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_campaign_that_is_not_ready_is_refused(url, is_there):
    """A campaign that is not there, or not loaded to its end, is an error that says so; nothing is sent."""
    if is_there:
        async with Journal.open(url) as journal:
            await journal.campaign("c", HELLO, chunk_size=10)
    runner = Runner(url, "c", poll=POLL)
    with pytest.raises(InvalidRequestError, match="not completely loaded" if is_there else "no campaign"):
        await runner.work(client := FakeClient())
    assert not client.calls
    assert not runner.status.joined


async def test_forever_it_waits_until_it_is_told(url):
    """With `forever` a campaign that is not there is waited for, unready, until `stop`."""
    runner = Waiting(url)
    async with working(runner, FakeClient()) as reports:
        await runner.paused(3)
        assert not reports
        assert not runner.status.joined
        runner.stop()
    assert reports[0].stopped is StopReason.INTERRUPTED


async def test_forever_it_stays_when_nothing_is_left(url):
    """With `forever` it stays ready after the last call, until `stop`."""
    await load(url)
    sums = Sums()
    runner = Waiting(url, on_result=sums)
    async with working(runner, FakeClient()) as reports:
        await sums.are_in.wait()
        await runner.paused(3)
        assert not reports
        assert runner.status.joined
        runner.stop()
    assert (reports[0].accepted, reports[0].stopped) == (100, StopReason.INTERRUPTED)


@only_postgresql
async def test_forever_it_begins_when_a_campaign_was_loaded(url):
    """With `forever` a campaign that another process makes and loads later is sent."""
    sums = Sums()
    runner = Waiting(url, on_result=sums)
    async with working(runner, client := FakeClient()):
        async with Journal.open(url) as journal:
            campaign = await journal.campaign("c", HELLO, chunk_size=10)
            await runner.paused(3)
            assert not client.calls
            await campaign.load(numbers(100))
        await sums.are_in.wait()
        runner.stop()
    assert client.reached == dict.fromkeys(numbers(100), 1)


async def test_a_journal_that_is_away_between_two_runs_is_waited_for(url, monkeypatch):
    """A runner that only looks whether there is something to do outlasts a server that starts anew."""
    status, away = Campaign.status, []

    async def look(campaign: Campaign) -> CampaignReport:
        if len(away) < 2:
            away.append(campaign)
            raise JournalUnavailableError("the server starts anew")
        return await status(campaign)

    await load(url)
    monkeypatch.setattr(Campaign, "status", look)
    sums = Sums()
    runner = Waiting(url, on_result=sums)
    async with working(runner, FakeClient()) as reports:
        await sums.are_in.wait()
        runner.stop()
    assert len(away) == 2
    assert reports[0].accepted == 100


async def test_a_journal_that_stays_away_ends_it(url, monkeypatch):
    """When patience is used up, it raises what is wrong with the journal."""
    await load(url)

    async def look(_: Campaign) -> CampaignReport:
        raise JournalUnavailableError("gone")

    monkeypatch.setattr(Campaign, "status", look)
    with pytest.raises(JournalUnavailableError, match="gone"):
        await Runner(url, "c", forever=True, poll=POLL, patience=2 * POLL).work(FakeClient())


async def test_told_to_stop_while_the_journal_is_away_it_leaves_at_once(url, monkeypatch):
    """Who drains a runner does not wait for a server that may never come back."""
    await load(url)
    runner, client = Runner(url, "c", forever=True, poll=3600, patience=3600), FakeClient()

    async def look(_: Campaign) -> CampaignReport:
        runner.stop()
        raise JournalUnavailableError("gone")

    monkeypatch.setattr(Campaign, "status", look)
    with anyio.fail_after(60):
        report = await runner.work(client)
    assert (report.stopped, client.calls) == (StopReason.INTERRUPTED, [])


async def test_forever_it_waits_for_a_list_that_began_to_be_loaded_since_it_looked(url, raw, monkeypatch):
    """With `forever` a second list that is loaded between its look and its run is waited for, and ends nothing."""
    await load(url)
    sums, looked_again = Sums(), anyio.Event()
    runner = Waiting(url, on_result=sums)
    client, begun, looks = FakeClient(), [], []
    summary, status = client.summary, Campaign.status

    async def begin_a_load():
        if not begun:
            raw("INSERT INTO load (id, campaign, given) VALUES (99, 1, 0)")
        begun.append(runner.status.sending)
        return await summary()

    async def look(campaign: Campaign) -> CampaignReport:
        looks.extend(begun[:1])
        if len(looks) == 3:
            looked_again.set()
        return await status(campaign)

    client.summary = begin_a_load
    monkeypatch.setattr(Campaign, "status", look)
    async with working(runner, client) as reports:
        await looked_again.wait()
        assert (reports, client.calls) == ([], [])
        raw("DELETE FROM load WHERE id = 99")
        await sums.are_in.wait()
        runner.stop()
    assert client.reached == dict.fromkeys(numbers(100), 1)


@pytest.mark.long
@only_postgresql
async def test_it_stays_for_what_others_may_leave(url):
    """While another one has a call on the wire it stays, since that call may come back to be sent again."""
    await load(url)
    other, slow = Runner(url, "c", poll=POLL, max_in_flight=1), FakeClient(Moody())
    runner, client = Runner(url, "c", poll=POLL), FakeClient()
    slow.seconds, began = 0.5, anyio.Event()
    slow.on_wire = began.set
    async with working(other, slow):
        await began.wait()
        report = await runner.work(client)
    assert report.accounted == 100
    assert client.reached.total() + slow.reached.total() == 100 + 10, "the refused call twice, everything else once"


async def test_the_age_of_its_heartbeat(url):
    """It tells for how long it has not written to the journal, and nothing while it has no run."""
    await load(url)
    runner = Runner(url, "c", poll=POLL, max_in_flight=1)
    assert await runner.heartbeat_age() is None
    client = FakeClient()
    client.hang, began = True, anyio.Event()
    client.on_wire = began.set
    async with working(runner, client):
        await began.wait()
        age = await runner.heartbeat_age()
        assert age is not None
        assert 0 <= age < 30
        runner.abandon()
    assert await runner.heartbeat_age() is None


async def test_its_repr_names_the_campaign_and_no_secret():
    """The password of a journal's URL is in no repr."""
    shown = repr(Runner("postgresql://me:secret@db.example/journal", "c"))
    assert "'c'" in shown
    assert "db.example" in shown
    assert "secret" not in shown
