"""What claims cost and find: they go on behind the last one, and look for everything anew when nothing is left there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import psycopg
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal import repository, runs, sql
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.postgres_cursor import _translated
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RetryingWriter, RunContext
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import MOVES, Actor, sources

from .conftest import only_asyncio, only_postgresql
from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")
CHUNKS = 1_000
MOST_WORK = 90
"""Blocks looked at and index entries read for each chunk. It takes 60: claimed, moved twice, and counted before and after."""
WORK = """SELECT sum(idx_blks_hit + idx_blks_read + idx_tup_read)
    + (SELECT heap_blks_hit + heap_blks_read FROM pg_statio_user_tables
        WHERE relname = 'chunk' AND schemaname = current_schema())
    FROM pg_statio_user_indexes JOIN pg_stat_user_indexes USING (indexrelid, relname, schemaname)
    WHERE relname = 'chunk' AND schemaname = current_schema()
    GROUP BY relname"""
RELEASED = ("pending", 1, 500, "claimed", 1)
OTHERS = """SELECT 1 FROM pg_stat_activity
    WHERE application_name = 'callsavvy-async' AND datname = current_database()"""


@asynccontextmanager
async def source(journal: Journal, at_a_time: int) -> AsyncIterator[JournalSource]:
    """Open the source of a run of the journal's only campaign."""
    writer = journal._writer
    run_id = await writer.run(lambda cursor: runs.begin(cursor, 1, writer.database.lease))
    context = RunContext(1, run_id, RetryingWriter(writer, 0), Reach(writer.database, 1, "sms"))
    yield JournalSource(context, Spec(HELLO), CampaignReport(), at_a_time, None)
    await writer.run(lambda cursor: runs.end(cursor, 1, run_id))


async def take(chunks: JournalSource, count: int) -> list[int]:
    """Return the numbers of the next chunks."""
    taken = [await chunks.next_chunk() for _ in range(count)]
    return [chunk.number for chunk in taken if isinstance(chunk, Chunk)]


@pytest.mark.long
@only_postgresql
@only_asyncio
@pytest.mark.parametrize(
    "known", ["nothing", *(pytest.param(k, marks=pytest.mark.long) for k in ("all pending", "another campaign"))]
)
async def test_what_is_done_is_not_passed_over_again(url, raw, known):
    """Whatever the statistics still say, with no vacuum and a snapshot held open, no chunk costs more for the many before it.

    With a statement that passes over what is done, or over what is dead of it, this is hundreds for each chunk.
    """
    async with Journal.open(url) as journal:
        raw("ALTER TABLE chunk SET (autovacuum_enabled = off)")
        for name in ("first", "second"):
            campaign = await journal.campaign(name, HELLO, chunk_size=1)
            await campaign.load(numbers(CHUNKS))
            if known == {"first": "another campaign", "second": "all pending"}[name]:
                raw("ANALYZE chunk")
    with psycopg.connect(url) as backup:
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM chunk")
        before = raw(WORK)[0][0]
        async with Journal.open(url) as journal:
            report = await (await journal.campaign("second")).run(FakeClient(), max_in_flight=2)
        assert report.accepted == CHUNKS
        while raw(OTHERS):  # noqa: ASYNC110 - a server hands in what it counted as it ends
            await anyio.sleep(0.01)
        work = raw(WORK)[0][0] - before
    assert work < MOST_WORK * CHUNKS


@only_postgresql
@only_asyncio
@pytest.mark.parametrize("known", [True, False], ids=["all pending", "nothing"])
async def test_a_chunk_whose_number_is_known_is_found_by_its_primary_key(journal, url, raw, known):
    """By its state it would be found among thousands that are dead: each chunk was in flight once."""
    await (await journal.campaign("c", HELLO, chunk_size=1)).load(numbers(CHUNKS))
    if known:
        raw("ANALYZE chunk")
    moves = [sql.move(sources(to, Actor.OWNER), owned=True) for to in MOVES[Actor.OWNER]]
    with psycopg.connect(url) as connection:
        for statement, values in (
            *((move, ("x", None, None, "", 1, 500, 1)) for move in moves),
            (sql.RELEASE, RELEASED),
        ):
            plan = "\n".join(line for (line,) in connection.execute(b"EXPLAIN " + _translated(statement), values))
            assert "using chunk_pkey" in plan
            assert "Index Cond: ((campaign = '1'::smallint) AND (number = '500'::smallint))" in plan


async def test_what_is_pending_again_before_the_last_claim_is_found_at_the_end(journal, raw):
    """Claims go on behind the last one; a chunk that a dead or stopped run gave back is sent when there is no more there."""
    await (await journal.campaign("c", HELLO, chunk_size=1)).load(numbers(10))
    async with source(journal, at_a_time=3) as chunks:
        assert await take(chunks, 6) == [1, 2, 3, 4, 5, 6]
        raw("UPDATE chunk SET state = 'pending', run = NULL WHERE number IN (2, 4)")
        assert await take(chunks, 7) == [7, 8, 9, 10, 2, 4]


@only_postgresql
async def test_a_run_does_not_spin_while_another_claims_all_that_is_left(journal, url, raw, monkeypatch):
    """Whoever was stopped in the middle of a claim holds its rows for seconds; the others look now and then."""
    await (await journal.campaign("c", HELLO, chunk_size=1)).load(numbers(3))
    claims: list[int] = []
    claim = repository.claim
    monkeypatch.setattr(repository, "claim", lambda *given, **named: claims.append(1) or claim(*given, **named))
    async with source(journal, at_a_time=3) as chunks:
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM chunk FOR UPDATE")
            with anyio.move_on_after(0.3):
                await chunks.next_chunk()
            assert len(claims) == 1
        assert await take(chunks, 3) == [1, 2, 3]
