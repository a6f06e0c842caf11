"""Several runs of one campaign at a time, as processes that share a journal in PostgreSQL have them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import anyio
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.protocols import ChunkDeferredError
from callsavvy_async.bulk.recipients import Doubtful
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import (
    Campaign,
    Journal,
    State,
    load,
    open_journal,
    purge,
)
from callsavvy_async.campaigns.errors import ChunkLostError, JournalInUseError, JournalUnavailableError
from callsavvy_async.campaigns.journal import repository, retrying_writer, runs, sums
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.lookup import database_of
from callsavvy_async.campaigns.journal.postgres_cursor import PostgresCursor
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.sends import SendReceipt
from tests.bulk.fakes import not_sent, rejected

from .conftest import only_postgresql
from .fakes import FakeClient, Raising, accept, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


@asynccontextmanager
async def workers(url: str, count: int) -> AsyncIterator[list[Campaign]]:
    """Open a loaded campaign as so many processes would."""
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", HELLO, chunk_size=10)).load(numbers(300))
        others = [Journal.open(url) for _ in range(count - 1)]
        for other in others:
            await other.__aenter__()
        yield [await each.campaign("c") for each in (journal, *others)]
        for other in others:
            await other.__aexit__(None, None, None)


def take_over(url: str) -> None:
    """Settle what dead runs left, as another process does."""
    other = database_of(url, read_only=False, lease=30.0)
    other.open()
    runs.take_over_all(other.cursor(), all_are_dead=False)
    other.close()


def states(raw) -> Counter[str]:
    return Counter(state for (state,) in raw("SELECT state FROM chunk"))


@only_postgresql
async def test_each_chunk_is_sent_by_one_of_them(url):
    """Whoever claims a chunk sends it, and nobody else; each comes to a part; all end with the same sums."""
    clients = [FakeClient() for _ in range(3)]
    for client in clients:
        client.seconds = 0.02  # long enough for the others to come
    async with workers(url, 3) as campaigns, anyio.create_task_group() as group:
        for campaign, client in zip(campaigns, clients, strict=True):
            group.start_soon(run, campaign, client)
    assert sum((client.reached for client in clients), Counter()) == dict.fromkeys(numbers(300), 1)
    assert all(client.calls for client in clients)


async def run(campaign: Campaign, client: FakeClient, **options) -> None:
    report = await campaign.run(client, max_in_flight=2, **options)
    assert report.accounted == report.given


@only_postgresql
async def test_they_spend_no_more_than_one_may(url):
    """max_cost is of the campaign: what each reserves as it claims counts for all."""
    clients = [FakeClient() for _ in range(3)]
    async with workers(url, 3) as campaigns:
        async with anyio.create_task_group() as group:
            for campaign, client in zip(campaigns, clients, strict=True):
                group.start_soon(lambda c, k: run(c, k, max_cost=155), campaign, client)
        report = await campaigns[0].status()
    assert (report.cost, report.accepted, report.pending) == (150, 150, 150)
    assert sum(len(client.calls) for client in clients) == 15


@only_postgresql
async def test_what_is_given_back_while_a_run_begins_is_not_room(url, monkeypatch):
    """A run that begins sees what others spent and what they reserved at one moment, or it would take less for more."""
    async with workers(url, 2) as (ours, theirs):
        run_id = await theirs._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))
        chunks = await theirs._writer.run(
            lambda cursor: repository.claim(cursor, 1, run_id, zone="", since=0, limit=10, text="Hello").chunks
        )
        other = database_of(url, read_only=False, lease=30.0)
        other.open()
        execute, given_back = PostgresCursor.execute, []

        def give_back_after_a_look(cursor, statement, values=(), /):
            result = execute(cursor, statement, values)
            if not given_back and "FROM run" in statement and "reserved" in statement:
                given_back.extend(chunk.number for chunk in chunks)
                repository.release(other.cursor(), 1, run_id, given_back)
            return result

        monkeypatch.setattr(PostgresCursor, "execute", give_back_after_a_look)
        report = await ours.run(FakeClient(), max_cost=150)
        other.close()
    assert given_back
    assert report.cost <= 150


@only_postgresql
async def test_costs_that_surprise_count_for_all(url):
    """What a request cost more than estimated is spent for everybody; above the limit is at most what was in flight by then."""
    dear = FakeClient(lambda called: SendReceipt(message_id="m", cost=Decimal(3 * len(called))))
    async with workers(url, 2) as campaigns:
        await campaigns[0].run(dear, max_cost=100, max_in_flight=1)
        assert len(dear.calls) == 4  # the last one fitted by its estimate
        report = await campaigns[1].run(client := FakeClient(), max_cost=125, max_in_flight=1)
    assert (report.stopped, report.cost, len(client.calls)) == (StopReason.MAX_COST, 120, 0)


@pytest.mark.parametrize("cost", ["1", "0", "-10", "-1e30", "1e30"])
async def test_a_nonsense_cost_frees_nothing_and_is_written(journal, raw, cost):
    """Below the estimate it may be that of each recipient (quirk Q41); above it, it counts. Both are journaled."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    client = FakeClient(lambda _: SendReceipt(message_id="m", cost=Decimal(cost)))
    requests = 1 if Decimal(cost) > 20 else 2
    for _ in range(2):  # the run that heard of it, and the next
        report = await campaign.run(client, max_cost=20, max_in_flight=1)
        assert (len(client.calls), report.stopped) == (requests, StopReason.MAX_COST)
    assert report.cost == requests * Decimal(cost)
    assert {Decimal(found) for (found,) in raw("SELECT cost FROM chunk WHERE cost IS NOT NULL")} == {Decimal(cost)}


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_what_is_claimed_has_to_fit_when_it_leaves(journal, in_flight):
    """Costs reported above the estimates take the room of what is claimed: no request starts once they passed the limit."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(300))
    spent, late = Decimal(0), 0

    def script(called):
        nonlocal spent
        spent += 100
        return SendReceipt(message_id="m", cost=Decimal(100))

    def on_wire():
        nonlocal late
        late += spent > 50

    client = FakeClient(script)
    client.on_wire, client.seconds = on_wire, 0.02
    report = await campaign.run(client, max_cost=50, max_in_flight=in_flight)
    assert late == 0
    assert (report.stopped, report.cost, report.in_flight) == (StopReason.MAX_COST, spent, 0)
    assert len(client.calls) <= in_flight
    assert report.pending == 300 - report.accepted


async def test_what_is_not_in_the_journal_yet_counts_too(journal, raw):
    """A cost that is known and waits to be written keeps what is written ahead already from leaving, as if it never was."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    writer, report = journal._writer, CampaignReport()

    def begin(cursor):
        return runs.begin(cursor, 1, None), CampaignBudget.of(cursor, 1, Decimal(50))

    run_id, allowance = await writer.run(begin)
    run = RunContext(1, run_id, retrying_writer.RetryingWriter(writer, 0), Reach(writer.database, 1, "sms"))
    source = JournalSource(run, Spec(HELLO), report, 2, allowance)
    sink = JournalSink(run, HELLO.common, report, source.is_open, allowance)
    chunk = await source.next_chunk()
    sink._unwritten = Decimal(31)
    with pytest.raises(ChunkDeferredError):
        await sink.before_sending(chunk, "00ff")
    assert raw("SELECT state, count(*) FROM chunk GROUP BY state ORDER BY state") == [("claimed", 1), ("pending", 9)]
    assert raw("SELECT reserved FROM run") == [(10_000_000,)]
    sink._unwritten = Decimal(30)
    await sink.before_sending(await source.next_chunk(), "00ff")
    assert raw("SELECT count(*) FROM chunk WHERE state = 'in_flight'") == [(1,)]


async def test_what_is_given_back_may_be_spent(journal):
    """Rejected and not sent cost nothing: what was reserved for them is there for the others."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(300))
    outcomes = itertools.cycle([Raising(rejected()), Raising(not_sent()), accept])
    report = await campaign.run(FakeClient(lambda called: next(outcomes)(called)), max_cost=60, max_in_flight=1)  # noqa: PLW0108 - another one each time
    assert (report.cost, report.stopped) == (60, StopReason.MAX_COST)
    assert report.rejected >= 50


async def test_a_dead_run_keeps_what_it_may_have_spent(journal, raw, url):
    """What it had merely claimed is given back, what it had in flight counts until somebody knows better."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(300))
    run_id = await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))
    raw(
        f"UPDATE chunk SET run = {run_id}, state = CASE WHEN number < 3 THEN 'in_flight' ELSE 'claimed' END"
        " WHERE number < 9",
        f"UPDATE run SET reserved = 80000000 WHERE id = {run_id}",
    )
    raw.let_leases_pass()
    take_over_in = runs.take_over_all
    await journal._writer.run(lambda cursor: take_over_in(cursor, all_are_dead=False))
    assert raw(f"SELECT reserved FROM run WHERE id = {run_id}") == [(20_000_000,)]
    report = await campaign.run(FakeClient(), max_cost=50)
    assert (report.accepted, report.unknown, report.stopped) == (30, 20, StopReason.MAX_COST)


@pytest.mark.parametrize(
    ("answer", "becomes"), [(not_sent(), State.NOT_SENT), (rejected("Malformed number"), State.REJECTED)]
)
async def test_what_was_declared_unknown_is_still_reported(journal, raw, url, answer, becomes):
    """Whoever had it on the wire while it was taken for dead knows better, and says so: proved not sent, or rejected."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    client = FakeClient(Raising(answer))

    def sleep() -> None:
        lose(raw)
        take_over(url) if not raw.is_file else None

    client.on_wire = sleep
    await campaign.run(client, max_in_flight=1)
    assert raw("SELECT state FROM chunk") == [(becomes,)]
    assert len(client.calls) == 1


async def test_what_a_person_has_decided_stays(journal, raw, url):
    """A late report does not overrule whoever resolved it in the meantime; the run says that it lost the chunk."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    client = FakeClient()
    client.on_wire = lambda: raw("UPDATE chunk SET state = 'cancelled'")
    with pytest.raises(ChunkLostError):
        await campaign.run(client, max_in_flight=1)
    assert raw("SELECT state FROM chunk") == [("cancelled",)]


async def test_units_that_were_done_unheard_of_change_nothing_when_they_are_done_again(journal, raw):
    """The theory of `context.py`: a move, a split and an outcome recognise what they did before."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    run_id = await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))

    def claim(cursor):
        return repository.claim(cursor, 1, run_id, zone="", since=0, limit=1, text="Hello", budget=None).chunks

    (chunk,) = await journal._writer.run(claim)
    assert chunk.estimate == 10

    def settle(cursor):
        repository.settle(cursor, 1, run_id, 1, repository.ChunkUpdate(State.ACCEPTED, cost=Decimal(13)))

    def send(cursor):
        update = repository.ChunkUpdate(State.IN_FLIGHT)
        return repository.move(cursor, 1, 1, update, by=repository.Actor.OWNER, run_id=run_id)

    assert [await journal._writer.run(send) for _ in range(2)] == [Decimal(10), None]
    for _ in range(2):
        await journal._writer.run(settle)
    assert raw(f"SELECT reserved FROM run WHERE id = {run_id}") == [(13_000_000,)]
    raw("UPDATE chunk SET state = 'in_flight', cost = NULL")

    def split(cursor):
        return repository.split(cursor, 1, run_id, chunk, common="Hello")

    assert [len(await journal._writer.run(split)) for _ in range(2)] == [2, 0]
    put_back = repository.ChunkUpdate(State.PENDING)
    raw("UPDATE chunk SET state = 'pending', run = NULL WHERE number = 2")
    await journal._writer.run(lambda cursor: repository.settle(cursor, 1, run_id, 2, put_back))
    assert raw("SELECT state FROM chunk WHERE number = 2") == [("pending",)]


async def test_a_claim_that_was_done_unheard_of_is_given_back_and_claimed_again(journal, raw, monkeypatch):
    """The answer to its COMMIT was lost: nobody holds the chunk, and the run finds that out when nothing else is left."""
    monkeypatch.setattr(retrying_writer, "_BETWEEN_ATTEMPTS", 0)
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    campaign._patience, run_unit, lost = 30.0, journal._writer.run, []

    async def lose_the_first_claim(work, **options):
        result = await run_unit(work, **options)
        if not lost and raw("SELECT state FROM chunk") == [("claimed",)]:
            lost.append(True)
            raise JournalUnavailableError("the connection broke off")
        return result

    monkeypatch.setattr(journal._writer, "run", lose_the_first_claim)
    report = await campaign.run(client := FakeClient(), max_in_flight=1)
    assert lost
    assert (report.accepted, len(client.calls)) == (10, 1)


@only_postgresql
async def test_a_heartbeat_tells_a_run_that_it_was_taken_for_dead(url, raw):
    """It sends nothing more under its old number, reports what was on the wire, and goes on under a new one."""
    async with Journal.open(url, lease=0.3) as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        await campaign.load(numbers(40))

        client = FakeClient()

        def sleep() -> None:
            client.seconds = 0.0
            if len(client.calls) == 1:
                lose(raw)
                take_over(url)
                client.seconds = 0.3  # a beat comes every 0.1 s; without one the next move would tell it

        client.on_wire = sleep
        report = await campaign.run(client, max_in_flight=1)
    assert client.reached == dict.fromkeys(numbers(40), 1)
    assert (report.accepted, report.stopped) == (40, None)


async def test_the_balance_is_of_before_the_first_call(journal, raw):
    """A balance that was read while another run had begun to call is no baseline."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    raw("UPDATE chunk SET state = 'accepted'")
    await journal._writer.run(lambda cursor: sums.note_balance(cursor, 1, Decimal(5)))
    assert raw("SELECT balance FROM campaign") == [(None,)]


async def test_a_run_under_way_keeps_its_recipients(journal):
    """Nothing is purged while it is sent."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    await journal._writer.run(lambda cursor: runs.begin(cursor, 1, 30.0))
    with pytest.raises(InvalidRequestError, match="active run"):
        await campaign.purge()


@only_postgresql
async def test_a_run_that_was_taken_for_dead_and_purged_ends_with_that(journal, raw, url):
    """What it has on the wire it still reports; then it neither sends nor goes on under another number, but says why."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(30))
    client = FakeClient()

    def purge_behind() -> None:
        lose(raw)
        take_over(url)
        other = database_of(url, read_only=False, lease=30.0)
        other.open()
        purge.purge(other.cursor(), 1, campaign._spec.without_texts().to_json())
        other.close()

    client.on_wire = purge_behind
    with pytest.raises(InvalidRequestError, match="was purged"):
        await campaign.run(client, max_in_flight=1)
    assert states(raw) == {"accepted": 1, "cancelled": 2}
    assert len(client.calls) == 1


@only_postgresql
@pytest.mark.parametrize("disturb", ["purge", "load"])
async def test_who_wakes_after_its_lease_sends_nothing_that_was_purged_or_is_being_loaded(journal, raw, url, disturb):
    """Nobody noticed that it slept past its lease; who purges or loads then takes it for dead, or it would go on."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(30))
    client = FakeClient()

    def sleep() -> None:
        if len(client.calls) > 1:
            return
        raw.let_leases_pass()
        other = database_of(url, read_only=False, lease=30.0)
        other.open()
        cursor = other.cursor()
        cursor.execute("BEGIN")
        if disturb == "purge":
            purge.purge(cursor, 1, campaign._spec.without_texts().to_json())
        else:
            load._begin(cursor, 1)
        cursor.execute("COMMIT")
        other.close()

    client.on_wire = sleep
    with pytest.raises(InvalidRequestError, match="was purged" if disturb == "purge" else "not completely loaded"):
        await campaign.run(client, max_in_flight=1)
    left = "cancelled" if disturb == "purge" else "pending"
    assert states(raw) == {"accepted": 1, left: 2}
    assert len(client.calls) == 1


async def test_workers_are_told_as_json(journal):
    """Who runs, and what it says of itself."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(10))
    await campaign.run(FakeClient())
    (worker,) = await campaign.workers()
    assert json.loads(json.dumps(worker.as_dict()))["name"] == worker.name
    assert not worker.alive


async def test_two_processes_that_create_a_campaign_create_one(journal, monkeypatch):
    """Who did not see it yet, and waited for the other's lock, finds it then."""
    first = await journal.campaign("c", HELLO, chunk_size=10)
    find, seen = open_journal.find_campaign, iter([None])
    monkeypatch.setattr(open_journal, "find_campaign", lambda cursor, name: next(seen, find(cursor, name)))
    assert (await journal.campaign("c", HELLO, chunk_size=10))._id == first._id


@only_postgresql
async def test_one_process_loads_a_campaign_at_a_time(journal, url):
    """Another that comes to load it is told; so is one whose unfinished load was deleted under it."""
    await journal.campaign("c", HELLO, chunk_size=10)
    async with Journal.open(url) as other:
        await other.campaign("c")
        await journal._writer.run(lambda cursor: load._lock(cursor, 1))
        with pytest.raises(JournalInUseError, match="another process loads"):
            await other._writer.run(lambda cursor: load._lock(cursor, 1))
        with pytest.raises(JournalInUseError, match="another process loads"):  # or what it adds would stay
            await (await other.campaign("c")).purge()
        await journal._writer.run(lambda cursor: load._unlock(cursor, 1))
        with pytest.raises(JournalInUseError, match="deleted this load"):
            await other._writer.run(lambda cursor: load._update(cursor, 99, 1, Doubtful()))


async def test_who_missed_its_lease_reports_late_and_sends_nothing_it_had_claimed(journal, raw, url):
    """A run that sleeps past its lease, with a call on the wire and others claimed, wakes, and goes on under a new number."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    client = FakeClient()
    seen = []

    def sleep() -> None:
        if len(client.calls) == 2:
            lose(raw)
            take_over(url) if not raw.is_file else None
            seen.append(states(raw))

    client.on_wire = sleep
    report = await (run := campaign.run(client, max_in_flight=1))
    assert run.leases_lost == 1
    assert seen == [{"accepted": 1, "unknown": 1, "pending": 8}]
    assert client.reached == dict.fromkeys(numbers(100), 1)
    assert (report.accepted, report.stopped) == (100, None)
    assert len(await campaign.workers()) == 2


def lose(raw) -> None:
    """Let leases pass; in a file, which nobody else has, do what another process would."""
    raw.let_leases_pass()
    if raw.is_file:
        raw(
            "UPDATE run SET ended = 1 WHERE ended IS NULL",
            "UPDATE chunk SET state = 'pending' WHERE state = 'claimed'",
            "UPDATE chunk SET state = 'unknown', detail = 'the process died' WHERE state = 'in_flight'",
        )
