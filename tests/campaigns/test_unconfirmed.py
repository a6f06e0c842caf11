"""A server that commits and is not heard of again, or that cuts its connections: nothing is done twice or left behind."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter

import anyio
import psycopg
import pytest

from callsavvy_async import SMS
from callsavvy_async.campaigns import Journal, journal_source
from callsavvy_async.campaigns.errors import ChunkLostError, JournalInUseError
from callsavvy_async.campaigns.journal import retrying_writer
from tests.bulk.fakes import rejected

from .conftest import only_postgresql
from .fakes import FakeClient, accept, numbers

pytestmark = [pytest.mark.anyio, pytest.mark.every_journal]

HELLO = SMS("Hello")


class Deaf:
    """A cursor whose COMMITs take place, and whose answers are lost now and then."""

    def __init__(self, cursor, lost) -> None:
        self._real, self._lost = cursor, lost

    def execute(self, statement, values=()):
        self._real.execute(statement, values)
        if statement == "COMMIT" and next(self._lost):
            is_file = isinstance(self._real, sqlite3.Cursor)
            raise (sqlite3.OperationalError if is_file else psycopg.OperationalError)("the connection broke off")
        return self

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __iter__(self):
        return iter(self._real)


@pytest.mark.parametrize(
    ("every", "max_in_flight"),
    [(2, 4), (3, 1), *(pytest.param(*case, marks=pytest.mark.long) for case in [(2, 1), (3, 4), (5, 1), (5, 4)])],
)
async def test_a_commit_whose_answer_is_lost_is_not_misjudged(url, raw, monkeypatch, every, max_in_flight):
    """Every unit that is tried again recognises what it did: nobody is reached twice, none is left behind, the sums fit."""
    monkeypatch.setattr(retrying_writer, "_BETWEEN_ATTEMPTS", 0.001)
    bad = numbers(200)[13]

    def script(called):
        if bad in called:
            raise rejected("Invalid recipient")
        return accept(called)

    async with Journal.open(url, patience=30) as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        await campaign.load(numbers(200))
        database, lost = journal._writer.database, itertools.cycle([*[False] * (every - 1), True])
        original = database.cursor
        client = FakeClient(script)
        client.refused = 1
        with monkeypatch.context() as deaf:
            deaf.setattr(database, "cursor", lambda: Deaf(original(), lost))
            run = campaign.run(client, max_in_flight=max_in_flight, max_cost=1000)
            with anyio.fail_after(60):
                report = await run
        assert (report.accepted, report.rejected, report.pending) == (199, 1, 0)
        assert {number for number, times in client.reached.items() if times > 1} <= set(numbers(10, 10))
        assert (await campaign.verify()).sound
    assert raw("SELECT sum(reserved) FROM run")[0][0] == 199_000_000
    assert {state for (state,) in raw("SELECT DISTINCT state FROM chunk")} == {"accepted", "rejected", "split"}


async def test_a_chunk_that_somebody_moved_ends_a_run_that_is_alive(journal, raw):
    """Within its lease nobody may move what a run holds: that is no sleep, so it is raised."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(30))
    client = FakeClient()
    client.on_wire = lambda: raw("UPDATE chunk SET state = 'rejected' WHERE state = 'claimed'")
    with pytest.raises(ChunkLostError):
        await campaign.run(client, max_in_flight=1)
    assert len(client.calls) == 1


@only_postgresql
async def test_who_has_nothing_left_waits_for_what_others_hold(journal, raw, monkeypatch):
    """A run ends when nobody holds a chunk that may become pending: so it sends what one that dies had claimed."""
    monkeypatch.setattr(journal_source, "_BETWEEN_LOOKS", 0.01)
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(30))
    raw(
        "INSERT INTO run (id, campaign, began, heartbeat, lease) VALUES (99, 1, 0, 0, 1e12)",
        "UPDATE chunk SET state = 'claimed', run = 99 WHERE number > 1",
    )
    client = FakeClient()

    async def die() -> None:
        while not client.calls:  # noqa: ASYNC110 - however busy the machine is
            await anyio.sleep(0.01)
        await anyio.sleep(0.1)
        assert len(client.calls) == 1
        raw("UPDATE chunk SET state = 'pending' WHERE state = 'claimed'")

    async with anyio.create_task_group() as group:
        group.start_soon(die)
        report = await campaign.run(client)
    assert (report.accepted, client.reached) == (30, dict.fromkeys(numbers(30), 1))


async def test_a_load_that_another_deleted_stays_deleted(journal, raw):
    """Who lost its lock unawares writes nothing more, not even the end."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)

    async def rows():
        for number in numbers(1000):
            yield number
        raw("DELETE FROM load", "DELETE FROM payload", "DELETE FROM chunk")

    with pytest.raises(JournalInUseError, match="another process began"):
        await campaign.load(rows())
    assert not Counter(raw("SELECT state FROM chunk"))
