"""Running a campaign: written ahead, settled durably, stopped in order, resumed without a second message to anybody."""

from __future__ import annotations

import stat
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from callsavvy_async import SMS, Robocall, WhatsApp
from callsavvy_async.bulk.report import ReportError, StopReason
from callsavvy_async.campaigns import (
    Campaign,
    CampaignReport,
    Journal,
    JournalUnavailableError,
    Runner,
    State,
    journal_source,
    limits_file,
)
from callsavvy_async.campaigns.journal import runs
from callsavvy_async.errors import (
    ConfigurationError,
    ConnectError,
    InvalidRequestError,
    Outcome,
    RateLimitError,
    ServiceUnavailableError,
)
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.rate_limiters import RateLimiters
from tests.bulk.fakes import ACCEPT, FAIL, not_sent, rejected, unknown

from .fakes import FakeClient, Raising, accept, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")
NINE_TO_SIX = {"send_window": "09:00-18:00", "time_zone": "Africa/Lagos"}


async def loaded(journal: Journal, count: int = 100, message=HELLO, name: str = "c", **options) -> Campaign:
    campaign = await journal.campaign(name, message, **{"chunk_size": 10, **options})
    await campaign.load(numbers(count))
    return campaign


async def states(journal: Journal) -> dict[int, str]:
    query = "SELECT number, state FROM chunk"
    return await journal._writer.run(lambda cursor: dict(cursor.execute(query).fetchall()))


@pytest.mark.every_journal
async def test_everybody_is_reached_once(journal):
    """A run sends every chunk once, and its report adds up over the journal."""
    campaign = await loaded(journal)
    progress = []
    run = campaign.run(client := FakeClient(), on_progress=lambda report: progress.append(report.accepted))
    report = await run
    assert client.reached == dict.fromkeys(numbers(100), 1)
    assert (report.accepted, report.requests, report.cost, report.committed) == (100, 10, 100, 100)
    assert report.complete
    assert report is run.report
    assert progress == list(range(10, 101, 10))
    with pytest.raises(InvalidRequestError, match="started before"):
        await run
    assert "campaign c: 100 recipients" in str(report)
    assert report.as_dict()["in_flight"] == 0


async def test_in_flight_is_durable_before_the_first_byte(journal, raw):
    """Another connection sees the chunk in flight at the moment its request leaves."""
    campaign = await loaded(journal, 30)
    client = FakeClient()
    seen: list[Counter[str]] = []

    def look() -> None:
        seen.append(Counter(dict(raw("SELECT state, count(*) FROM chunk GROUP BY state"))))

    client.on_wire = look
    await campaign.run(client, max_in_flight=1)
    assert [row[State.IN_FLIGHT] for row in seen] == [1, 1, 1]
    assert [row[State.ACCEPTED] for row in seen] == [0, 1, 2]


@pytest.mark.every_journal
@pytest.mark.parametrize(
    ("script", "word"),
    [
        (lambda _: FAIL, "failed"),
        (Raising(rejected()), "rejected"),
        (Raising(unknown()), "unknown"),
        (Raising(not_sent()), "pending"),
        (lambda _: SendReceipt(), "accepted"),
    ],
)
async def test_every_outcome_is_in_the_journal(journal, script, word):
    """What became of a call is the same in the report and in the journal read anew."""
    campaign = await loaded(journal, 30)
    report = await campaign.run(FakeClient(script), stop_after=100)
    assert getattr(report, word) == 30
    status = await campaign.status()
    assert getattr(status, word) == 30
    assert report.requests_without_cost == (3 if word == "accepted" else 0)


async def test_what_waits_after_a_refusal_is_not_in_flight(journal, raw):
    """Between a 429 and its repeat another connection sees the chunk claimed: dying then makes nothing unknown."""
    campaign = await loaded(journal, 10)
    client = FakeClient()
    client.refused = 2
    seen = []

    def look() -> None:
        seen.append(raw("SELECT state FROM chunk")[0][0])

    client.on_wait = client.on_wire = look
    assert (await campaign.run(client)).accepted == 10
    assert seen == [State.CLAIMED, State.CLAIMED, State.IN_FLIGHT]


@pytest.mark.parametrize("kind", [RateLimitError, ServiceUnavailableError])
async def test_what_was_refused_for_the_moment_is_pending(journal, kind):
    """A call that gave up after 429 or 503 was not done and may be done later: the next run sends it."""
    campaign = await loaded(journal, 10)
    refusal = kind("later", endpoint="sendSMS", outcome=Outcome.REJECTED)
    client = FakeClient(Raising(refusal))
    assert (await campaign.run(client)).pending == 10
    assert (await campaign.run(FakeClient())).accepted == 10


async def test_resuming_sends_pending_only(journal):
    """After a run that ended early, the next sends what the first did not, and nothing unknown."""
    campaign = await loaded(journal)
    calls = 0

    def script(called):
        nonlocal calls
        calls += 1
        if calls in {2, 4}:
            raise unknown()
        if calls == 5:
            run.stop()
        return accept(called)

    client = FakeClient(script)
    run = campaign.run(client, max_in_flight=1)
    first = await run
    assert first.stopped is StopReason.INTERRUPTED
    assert (first.accepted, first.unknown, first.pending) == (30, 20, 50)
    last = await campaign.run(client)
    assert (last.accepted, last.unknown, last.pending, last.stopped) == (80, 20, 0, None)
    assert set(client.reached.values()) == {1}


async def test_abandoning_makes_unknown(journal):
    """What is on the wire and not waited for is unknown, here and in the journal; the rest is pending."""
    campaign = await loaded(journal)
    client = FakeClient()
    client.hang = True
    run = campaign.run(client, max_in_flight=3)
    client.on_wire = lambda: len(client.calls) == 3 and run.abandon()
    report = await run
    assert (report.unknown, report.pending) == (30, 70)
    assert Counter((await states(journal)).values()) == {"unknown": 3, "pending": 7}


async def test_cancelling_leaves_a_journal_that_says_so(journal):
    """A cancelled run claims nothing any more, and what was on the wire has settled."""
    campaign = await loaded(journal)
    client = FakeClient()
    with anyio.CancelScope() as scope:
        client.on_wire = scope.cancel
        await campaign.run(client)
    found = Counter((await states(journal)).values())
    assert set(found) == {"accepted", "pending"}
    assert found["accepted"] == len(client.calls)


async def test_stopped_before_it_began(journal):
    """A run that was stopped, abandoned or paused before its start obeys."""
    campaign = await loaded(journal)
    for end in (lambda run: run.stop(), lambda run: run.abandon()):
        run = campaign.run(client := FakeClient())
        end(run)
        report = await run
        assert (report.pending, report.stopped, client.calls) == (100, StopReason.INTERRUPTED, [])


async def test_stopping_does_not_wait_for_the_balance(journal):
    """A run that is stopped while it reads the balance ends at once, with nothing sent."""
    campaign = await loaded(journal)
    client = FakeClient()
    run = campaign.run(client)

    async def summary():
        run.stop()
        await anyio.sleep_forever()

    client.summary = summary
    with anyio.fail_after(60):
        report = await run
    assert (report.pending, report.stopped, client.calls) == (100, StopReason.INTERRUPTED, [])


@pytest.mark.parametrize("look", [1, 3], ids=["before it begins", "as it begins"])
async def test_stopped_while_the_sums_are_read(journal, monkeypatch, look):
    """A run that is stopped while the journal adds up sends nothing: what was read does not take the stop back."""
    campaign = await loaded(journal)
    run = campaign.run(client := FakeClient())
    is_running, looks, adding_up, stopped = runs.is_running, [], threading.Event(), threading.Event()

    def add_up(cursor, number):
        looks.append(number)
        if len(looks) == look:
            adding_up.set()
            stopped.wait(30)
        return is_running(cursor, number)

    async def stop() -> None:
        await anyio.to_thread.run_sync(adding_up.wait, 30)
        run.stop()
        stopped.set()

    monkeypatch.setattr(runs, "is_running", add_up)
    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        report = await run
    assert (report.pending, report.stopped, client.calls) == (100, StopReason.INTERRUPTED, [])


async def test_pausing_starts_nothing(journal):
    """Between pause and go_on no call starts; afterwards all do."""
    campaign = await loaded(journal)
    client = FakeClient()
    run = campaign.run(client, max_in_flight=1)
    run.go_on()
    run.pause()
    paused = anyio.Event()

    def pause() -> None:
        if len(client.calls) == 3:
            run.pause()
            run.pause()
            paused.set()

    async def go_on() -> None:
        await anyio.sleep(0.1)
        assert not client.calls
        client.on_wire = pause
        run.go_on()
        await paused.wait()
        await anyio.sleep(0.1)
        assert len(client.calls) == 3
        run.go_on()

    async with anyio.create_task_group() as group:
        group.start_soon(go_on)
        report = await run
    assert report.accepted == 100


async def test_a_deadline_ends_it_in_order(journal):
    """After the deadline nothing more is sent, and the rest is pending."""
    campaign = await loaded(journal)
    run = campaign.run(FakeClient(), deadline=0.05)
    run.pause()
    report = await run
    assert (report.pending, report.stopped) == (100, StopReason.DEADLINE)


async def test_the_budget_is_of_the_whole_campaign(journal):
    """max_cost counts what earlier runs spent or may have spent; an estimate counts for what is unknown."""
    campaign = await loaded(journal)
    report = await campaign.run(FakeClient(Raising(unknown())), max_cost=20)
    assert (report.unknown, report.committed, report.stopped) == (20, 20, StopReason.MAX_COST)
    report = await campaign.run(FakeClient(), max_cost=Decimal(55))
    assert (report.accepted, report.cost, report.committed) == (30, 30, 50)
    with pytest.raises(InvalidRequestError, match=r"max_cost is .* the cost of whatsapp"):
        await (await loaded(journal, 1, WhatsApp("Hi", channel_uid="u"), "w")).run(FakeClient(), max_cost=1)


async def test_two_runs_at_once_keep_to_one_budget(journal):
    """What each is about to spend counts for both: together they spend what one may, and nobody is sent to twice."""
    campaign = await loaded(journal)
    client = FakeClient()

    async def run() -> None:
        await campaign.run(client, max_cost=50, max_in_flight=1)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(run)
    assert client.reached.total() <= 50
    assert max(client.reached.values()) == 1
    assert (await campaign.run(client)).complete


async def test_a_bad_number_is_isolated_and_stays_so(journal):
    """A chunk rejected for a recipient is halved in the journal until it stands alone; a resumed run goes on from there."""
    campaign = await loaded(journal, 40)
    bad = numbers(40)[13]

    def script(called):
        if bad in called:
            raise rejected("Invalid recipient")
        return accept(called)

    report = await campaign.run(client := FakeClient(script))
    assert (report.accepted, report.rejected, report.pending) == (39, 1, 0)
    assert {number for number, times in client.reached.items() if times > 1} <= set(numbers(10, 10))
    assert (await campaign.verify()).sound
    assert set((await states(journal)).values()) == {"accepted", "rejected", "split"}


async def test_stopped_between_halves(journal):
    """Halves that were not sent are pending in the journal."""
    campaign = await loaded(journal, 10)

    def script(_):
        run.stop()
        raise rejected("Invalid recipient")

    run = campaign.run(FakeClient(script))
    report = await run
    assert report.pending == 10
    assert Counter((await states(journal)).values()) == {"split": 1, "pending": 2}
    assert (await campaign.run(FakeClient())).accepted == 10


async def test_what_is_not_sent_again_in_a_run_is_in_the_next(journal):
    """A chunk whose request never left is pending, and tried once in every run."""
    campaign = await loaded(journal, 20)
    report = await campaign.run(FakeClient(Raising(not_sent())))
    assert (report.pending, report.stopped) == (20, None)
    assert (await campaign.run(FakeClient())).accepted == 20


async def test_other_channels(journal):
    """WhatsApp and robocalls are sent with their own arguments."""
    for name, message in {
        "w": WhatsApp("Hi", channel_uid="u"),
        "r": Robocall("Hi", duration=2),
        "a": Robocall(audio_url="https://example.com/a.mp3", duration=2),
    }.items():
        campaign = await loaded(journal, 40, message, name)
        report = await campaign.run(client := FakeClient(lambda _: ACCEPT))
        assert report.accepted == 40
        assert set(client.texts) == {message.common}


@pytest.mark.parametrize(
    ("message", "options", "error"),
    [
        (HELLO, {"reconcilable": True, "chunk_size": 3}, "sets the request sizes itself"),
        (WhatsApp("a", channel_uid="u"), {"reconcilable": True}, "works for SMS only"),
        (WhatsApp("a", channel_uid="u"), {"chunk_size": 31}, "at most 30"),
        (HELLO, {"start_at": datetime(2026, 1, 1)}, "start_at is .* no time zone"),  # noqa: DTZ001
        (HELLO, {"start_at": "2026-01-01"}, "start_at is '2026-01-01'"),
        (HELLO, {"send_window": "9-5", "time_zone": "UTC"}, "send_window is '9-5'"),
        (HELLO, {"time_zone": "UTC"}, "time_zone is 'UTC' without a send_window="),
        (HELLO, {"window": "9-5"}, "a campaign has no option 'window'. Did you mean 'send_window'"),
        ("Hello", {}, "the message is of type str"),
        (None, {"chunk_size": 5}, "chunk_size cannot change an existing campaign"),
    ],
)
async def test_a_campaign_that_cannot_work_is_refused(journal, message, options, error):
    """Options that contradict each other, a naive moment, a bare text: said before anything is created."""
    with pytest.raises((ConfigurationError, InvalidRequestError), match=error):
        await journal.campaign("c", message, **options)
    assert await journal.campaigns() == ()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_in_flight": 0}, "max_in_flight is 0; it must be a whole number, 1 or more"),
        ({"deadline": -1}, "deadline is -1"),
        ({"timeout": 0}, "timeout is 0"),
        ({"max_costs": 5}, "a run has no option 'max_costs'. Did you mean 'max_cost'"),
        ({"dry_run": True}, "a run has no option 'dry_run'"),
    ],
)
async def test_bad_options_of_a_run_are_refused(journal, options, error):
    """A run refuses what a bulk send refuses, in the same words; so do a load and a runner."""
    campaign = await loaded(journal, 1)
    for take in (campaign.run, campaign.resend_unknown):
        with pytest.raises(ConfigurationError, match=error):
            take(FakeClient(), **options)
    with pytest.raises(ConfigurationError, match=error):
        Runner("sqlite:///runs.db", "c", **options)
    with pytest.raises(ConfigurationError, match="a load has no option 'supress'"):
        await campaign.load(numbers(1), supress=numbers(1))


async def test_a_run_streams_its_results(journal):
    """Iterating over a run yields one result for each request, as over a bulk send."""
    campaign = await loaded(journal, 30)
    run = campaign.run(FakeClient())
    assert [len(result.recipients) async for result in run] == [10, 10, 10]
    assert (await campaign.status()).accepted == 30


async def test_a_field_that_nobody_has_is_not_loaded(journal):
    """A template that does not fit its recipients leaves no load behind, and the list can be loaded when it is corrected."""
    campaign = await journal.campaign("c", SMS(template="Hi {name|friend}"))
    with pytest.raises(InvalidRequestError, match="the recipients have numbers only"):
        await campaign.load(numbers(300))
    with pytest.raises(InvalidRequestError, match=r"\{name\}, but the columns are 'phone', 'nam'"):
        await campaign.load({"phone": number, "nam": "Ada"} for number in numbers(3))
    report = await campaign.load({"phone": number, "name": "Ada"} for number in numbers(3))
    assert (report.given, report.pending, report.input_complete) == (3, 3, True)


async def test_a_full_disk_sends_nothing_and_loses_nothing(journal):
    """While the journal cannot be written nothing is sent; outcomes wait in memory and are written when it can."""
    campaign = await loaded(journal)
    client = FakeClient()
    original = journal._writer.run
    broken, broke_down = False, anyio.Event()

    async def run(work, *, alone=False, turn=False):
        if broken:
            raise JournalUnavailableError("database or disk is full")
        return await original(work, alone=alone, turn=turn)

    journal._writer.run = run

    def break_down() -> None:
        nonlocal broken
        if len(client.calls) == 3:
            broken = True
            broke_down.set()

    client.on_wire = break_down

    async def mend() -> None:
        nonlocal broken
        await broke_down.wait()
        await anyio.sleep(0.1)
        assert len(client.calls) == 3
        broken = False

    campaign._patience = 30.0
    async with anyio.create_task_group() as group:
        group.start_soon(mend)
        report = await campaign.run(client, max_in_flight=1)
    assert report.accepted == 100
    assert set(client.reached.values()) == {1}


async def test_a_journal_that_stays_away_ends_the_run(url, raw):
    """After its patience the run ends with the journal's error; what was on the wire is unknown to the next process."""
    client = FakeClient()
    async with Journal.open(url, patience=0.05) as journal:
        campaign = await loaded(journal)
        original = journal._writer.run

        async def run(work, *, alone=False, turn=False):
            if len(client.calls) == 3:
                raise JournalUnavailableError("database or disk is full")
            return await original(work, alone=alone, turn=turn)

        journal._writer.run = run
        with pytest.raises(JournalUnavailableError):
            await campaign.run(client, max_in_flight=1)
        assert len(client.calls) == 3
    raw.let_leases_pass()
    async with Journal.open(url) as journal:
        status = await (await journal.campaign("c")).status()
        assert (status.accepted, status.unknown, status.pending) == (20, 10, 70)


async def test_the_balance_is_noted_once_if_it_can_be_read(journal):
    """Before the first call the balance is noted; failing to read it stops nothing."""
    campaign = await loaded(journal, 30)
    for balance in (ConnectError("no", endpoint="getSummary", outcome=Outcome.NOT_SENT), None):
        await campaign.run(FakeClient(Raising(not_sent()), balance=balance))
    assert (await campaign.run(FakeClient(balance=Decimal(70)))).accepted == 30
    read = "SELECT balance FROM campaign"
    assert await journal._writer.run(lambda cursor: cursor.execute(read).fetchone()) == ("70",)
    await campaign.run(FakeClient(balance=Decimal(40)))
    assert await journal._writer.run(lambda cursor: cursor.execute(read).fetchone()) == ("70",)


class Clock:
    """A wall clock that sleeping moves on."""

    def __init__(self, monkeypatch, start: datetime) -> None:
        self.now = start
        self.jump = timedelta(0)
        monkeypatch.setattr(journal_source, "wall_clock", lambda: self.now)
        monkeypatch.setattr(journal_source, "anyio", SimpleNamespace(**vars(anyio) | {"sleep": self.sleep}))
        monkeypatch.setattr(journal_source, "LONGEST_SLEEP", 1800.0)  # a night is thirty looks at the clock

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds) + self.jump
        self.jump = timedelta(0)
        await anyio.lowlevel.checkpoint()


async def test_start_and_window_are_waited_for(journal, monkeypatch):
    """Nothing leaves before start_at, nor outside of the window; a clock that is set back only makes it wait longer."""
    clock = Clock(monkeypatch, datetime(2026, 11, 22, 3, tzinfo=UTC))
    start_at = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
    campaign = await loaded(journal, 60, **NINE_TO_SIX, start_at=start_at)
    client, at = FakeClient(), []
    clock.jump = timedelta(hours=-2)

    def on_wire() -> None:
        at.append(clock.now)
        if len(at) == 3:
            clock.now += timedelta(hours=12)

    client.on_wire = on_wire
    report = await campaign.run(client, max_in_flight=1)
    assert report.accepted == 60
    assert at[0].date() == datetime(2026, 11, 23, tzinfo=UTC).date()
    assert {moment.astimezone(UTC).hour for moment in at} == {8}  # 9 in Lagos
    assert at[3].date() > at[2].date()


async def test_a_window_that_closes_while_a_call_waits_is_kept(journal, monkeypatch):
    """Neither a refused call nor one that waits for its turn leaves after the window closed: it goes when that opens again."""
    clock = Clock(monkeypatch, datetime(2026, 11, 22, 16, 59, tzinfo=UTC))
    campaign = await loaded(journal, 40, **NINE_TO_SIX)
    client, at = FakeClient(), []
    client.refused = 1

    def an_hour_passes() -> None:
        clock.now += timedelta(hours=1)
        client.refused = 0

    client.on_wait = an_hour_passes
    client.on_wire = lambda: at.append(clock.now)
    report = await campaign.run(client, max_in_flight=2, max_cost=40)
    assert client.reached == dict.fromkeys(numbers(40), 1)
    assert (report.accepted, report.pending, report.stopped) == (40, 0, None)
    opens = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert all(moment.hour == 16 or moment >= opens for moment in at)
    assert any(moment >= opens for moment in at)


async def test_a_window_that_never_opens_leaves_it_pending(journal, monkeypatch):
    """Recipients whose zones are never open at once stay pending, and the run ends."""
    campaign = await loaded(journal, 10, send_window="09:00-09:30", time_zone="UTC")
    await journal._writer.run(lambda cursor: cursor.execute("UPDATE chunk SET zone = 'Africa/Lagos,Asia/Tokyo'"))
    assert (await campaign.run(FakeClient())).pending == 10


async def test_a_report_that_does_not_add_up_is_refused(journal):
    """A journal from which somebody took a chunk is noticed at the end of the run."""
    campaign = await loaded(journal, 30)
    await journal._writer.run(lambda cursor: cursor.execute("DELETE FROM chunk WHERE number = 2"))
    with pytest.raises(ReportError):
        await campaign.run(FakeClient())


def test_report_shows_its_own_states():
    """What is in flight, not sent or cancelled is said where there is any."""
    report = CampaignReport(name="c", not_sent=7)
    assert "7 not sent" in str(report)
    assert (report.unsent, report.complete) == (7, False)


# -------------------------------------------------------------------------------------------- the remembered limit


async def test_a_run_remembers_the_limit(journal: Journal, monkeypatch, tmp_path) -> None:
    """It begins with the limit of an earlier run, and keeps its own: in the state folder, readable only for the user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, second = FakeClient(), FakeClient()
    for client in (first, second):
        client.pacing = RateLimiters(Adaptive(), "key", server=client.destination.server)
    first.on_wire = lambda: first.pacing.restore({"learned_rate": 500.0})
    await (await loaded(journal, 20, name="a")).run(first)
    file = tmp_path / "callsavvy-async" / "limits.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await (await loaded(journal, 20, name="b")).run(second)
    assert second.pacing.snapshot().learned_rate == 500.0


async def test_a_run_without_a_home_or_in_a_simulator_remembers_nothing(monkeypatch, tmp_path) -> None:
    """Neither stops a send."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    client = FakeClient()
    client.pacing = RateLimiters(Adaptive(), "key", server=client.destination.server)
    client.on_wire = lambda: client.pacing.restore({"learned_rate": 500.0})
    async with Journal.open(f"sqlite:///{tmp_path / 'a.db'}", simulated=True) as journal:
        assert (await (await loaded(journal, 20)).run(client)).complete
    assert not (tmp_path / "callsavvy-async" / "limits.json").exists()
    monkeypatch.setattr(limits_file, "state_folder", _no_home)
    async with Journal.open(f"sqlite:///{tmp_path / 'b.db'}") as journal:
        assert (await (await loaded(journal, 20)).run(client)).complete


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
