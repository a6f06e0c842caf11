"""Several runs of one campaign at a time, as processes that share a journal in PostgreSQL have them."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import anyio
import psycopg
import pytest

from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import Campaign, Journal, State, epochs, heart, journal_source, shift
from callsavvy_async.campaigns.errors import ChunkLostError, JournalUnavailableError
from callsavvy_async.campaigns.heart import Heart
from callsavvy_async.campaigns.journal import _database
from callsavvy_async.campaigns.shift import Patience, Shift
from callsavvy_async.errors import InvalidRequestError, Outcome, RateLimitedError
from callsavvy_async.resources.messaging import SendReceipt
from tests.bulk.fakes import not_sent, rejected, unknown

from .conftest import only_postgresql
from .fakes import FakeClient, Raising, accept, numbers

pytestmark = pytest.mark.anyio

SPEC = Campaign.sms("Hello", chunk_size=10)


@asynccontextmanager
async def workers(url: str, count: int) -> AsyncIterator[list[Campaign]]:
    """Open a loaded campaign as so many processes would."""
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", SPEC)).load(numbers(300))
        others = [Journal.open(url) for _ in range(count - 1)]
        for other in others:
            await other.__aenter__()
        yield [await each.campaign("c") for each in (journal, *others)]
        for other in others:
            await other.__aexit__(None, None, None)


def take_over(url: str) -> None:
    """Settle what dead runs left, as another process does."""
    other = _database(url, read_only=False, lease=30.0)
    other.open()
    epochs.take_over_all(other.cursor(), all_are_dead=False)
    other.close()


def states(raw) -> Counter[str]:
    return Counter(state for (state,) in raw("SELECT state FROM chunk"))


@only_postgresql
async def test_each_chunk_is_sent_by_one_of_them(url):
    """Whoever claims a chunk sends it, and nobody else; each comes to a part; all end with the same sums."""
    clients = [FakeClient() for _ in range(3)]
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
async def test_costs_that_surprise_count_for_all(url):
    """What a call cost more than estimated is spent for everybody; above the limit is at most what was claimed by then."""
    dear = FakeClient(lambda called: SendReceipt(message_id="m", cost=Decimal(3 * len(called))))
    async with workers(url, 2) as campaigns:
        await campaigns[0].run(dear, max_cost=100, max_in_flight=1)
        assert len(dear.calls) == 4  # two are claimed at a time
        report = await campaigns[1].run(client := FakeClient(), max_cost=125, max_in_flight=1)
    assert (report.stopped, report.cost, len(client.calls)) == (StopReason.MAX_COST, 120, 0)


async def test_what_is_given_back_may_be_spent(journal):
    """Rejected and not sent cost nothing: what was reserved for them is there for the others."""
    campaign = await journal.campaign("c", SPEC)
    await campaign.load(numbers(300))
    outcomes = itertools.cycle([Raising(rejected()), Raising(not_sent()), accept])
    report = await campaign.run(FakeClient(lambda called: next(outcomes)(called)), max_cost=60, max_in_flight=1)
    assert (report.cost, report.stopped) == (60, StopReason.MAX_COST)
    assert report.rejected >= 50


async def test_a_dead_run_keeps_what_it_may_have_spent(journal, raw, url):
    """What it had merely claimed is given back, what it had in flight counts until somebody knows better."""
    campaign = await journal.campaign("c", SPEC)
    await campaign.load(numbers(300))
    epoch = await journal._writer.run(lambda cursor: epochs.begin(cursor, 1, 30.0))
    raw(
        f"UPDATE chunk SET epoch = {epoch}, state = CASE WHEN number < 3 THEN 'in_flight' ELSE 'claimed' END"
        " WHERE number < 9",
        f"UPDATE epoch SET reserved = 80000000 WHERE id = {epoch}",
    )
    raw.let_leases_pass()
    take_over_in = epochs.take_over_all
    await journal._writer.run(lambda cursor: take_over_in(cursor, all_are_dead=False))
    assert raw(f"SELECT reserved FROM epoch WHERE id = {epoch}") == [(20_000_000,)]
    report = await campaign.run(FakeClient(), max_cost=50)
    assert (report.accepted, report.unknown, report.stopped) == (30, 20, StopReason.MAX_COST)


async def test_who_missed_its_lease_reports_late_and_sends_nothing_it_had_claimed(journal, raw, url):
    """A run that sleeps past its lease, with a call on the wire and others claimed, wakes, and goes on under a new number."""
    campaign = await journal.campaign("c", SPEC)
    await campaign.load(numbers(100))
    client = FakeClient()
    seen = []

    def sleep() -> None:
        if len(client.calls) == 2:
            lose(raw)
            take_over(url) if not raw.is_file else None
            seen.append(states(raw))

    client.on_wire = sleep
    report = await campaign.run(client, max_in_flight=1)
    assert seen == [{"accepted": 1, "unknown": 1, "pending": 8}]
    assert client.reached == dict.fromkeys(numbers(100), 1)
    assert (report.accepted, report.stopped) == (100, None)
    assert len(await campaign.workers()) == 2


def lose(raw) -> None:
    """Let leases pass; in a file, which nobody else has, do what another process would."""
    raw.let_leases_pass()
    if raw.is_file:
        raw(
            "UPDATE epoch SET ended = 1 WHERE ended IS NULL",
            "UPDATE chunk SET state = 'pending' WHERE state = 'claimed'",
            "UPDATE chunk SET state = 'unknown', detail = 'the process died' WHERE state = 'in_flight'",
        )
