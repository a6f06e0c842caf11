"""What only a journal in PostgreSQL has to get right: its URL, its errors, its locks."""

from __future__ import annotations

import sys

import anyio
import psycopg
import pytest

from callsavvy_async import SMS
from callsavvy_async.campaigns import Campaign, Journal
from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError, JournalUnavailableError
from callsavvy_async.campaigns.journal.postgres import PostgreSQL
from callsavvy_async.errors import ConfigurationError

from .conftest import only_postgresql
from .fakes import FakeClient, numbers

HELLO = SMS("Hello")
URL = "postgresql://user:secret@127.0.0.1:1/nowhere"


def test_the_extra_is_named(monkeypatch):
    """Without psycopg it is said what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"callsavvy-async\[postgres\]"):
        Journal.open(URL)


def test_a_url_that_cannot_be_read_is_not_shown():
    """Libpq's own text would repeat it, and with it its password."""
    with pytest.raises(ConfigurationError, match="URL is invalid") as caught:
        Journal.open("postgresql://user:secret@127.0.0.1:port/db?nonsense=1")
    assert "secret" not in str(caught.value)


def test_a_lease_is_longer_than_nothing():
    """Every run would be taken for dead at once."""
    with pytest.raises(ConfigurationError, match="lease is 0"):
        Journal.open(URL, lease=0)


def test_it_is_closed_before_it_was_opened():
    """A writer whose thread never connected closes it all the same."""
    PostgreSQL(URL, read_only=False, lease=1.0).close()


@pytest.mark.anyio
async def test_a_server_that_is_not_there_is_named_without_its_password():
    """The message names host and database, and neither user nor password."""
    with pytest.raises(
        JournalUnavailableError, match=r"postgresql://127\.0\.0\.1/nowhere cannot be used now"
    ) as caught:
        await Journal.open(URL, patience=0).__aenter__()
    assert "secret" not in f"{caught.value!r} {Journal.open(URL)!r}"


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (psycopg.errors.DuplicateTable("relation"), JournalError, "tables of another application"),
        (psycopg.errors.ReadOnlySqlTransaction("standby"), JournalUnavailableError, "cannot be used now"),
        (psycopg.errors.InsufficientPrivilege("denied\nDETAIL: +234"), JournalUnavailableError, "denied. Nothing"),
        (psycopg.errors.CheckViolation("row +234"), JournalError, "CheckViolation"),
        (psycopg.errors.InvalidSqlStatementName("+234"), JournalError, "pool_mode=session"),
        (psycopg.errors.DuplicatePreparedStatement("+234"), JournalError, "pool_mode=session"),
        (psycopg.errors.AdminShutdown("terminated\nDETAIL: +234"), JournalUnavailableError, "cannot be used now"),
        (psycopg.errors.DataCorrupted("page +234"), JournalDamagedError, "is damaged: DataCorrupted"),
        (psycopg.errors.UndefinedTable("chunk +234"), JournalDamagedError, "is damaged: UndefinedTable"),
        (UnicodeEncodeError("utf-8", "+234\ud800", 4, 5, "no"), JournalError, "cannot store a text"),
        (ValueError("+234"), JournalDamagedError, "a value in it is invalid"),
    ],
)
def test_errors_are_explained_without_values(error, kind, says):
    """Each says what it means for the journal, and shows no row."""
    explained = PostgreSQL(URL, read_only=False, lease=1.0).explain(error)
    assert type(explained) is kind
    assert says in str(explained)
    assert "+234" not in str(explained)


@pytest.mark.anyio
@only_postgresql
async def test_tables_of_something_else_are_left_alone(url, raw):
    """A schema in which others have tables of our names is refused, and nothing is in it afterwards."""
    raw("CREATE TABLE campaign (theirs TEXT)")
    with pytest.raises(JournalError, match="tables of another application"):
        await Journal.open(url).__aenter__()
    assert raw("SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()") == [(1,)]


@pytest.mark.anyio
@only_postgresql
async def test_those_that_start_together_make_one_journal(url):
    """Of many that find an empty database one makes the tables; the others wait, and use them."""
    made: list[Campaign] = []

    async def start() -> None:
        async with Journal.open(url) as journal:
            made.append(await journal.campaign("c", HELLO, chunk_size=10))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(start)
    assert len(made) == 6


@pytest.mark.anyio
@only_postgresql
async def test_connections_that_are_cut_are_made_again(journal, raw):
    """A run goes on over a connection that the server ended in the middle: nobody lost, nobody twice."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    client, cuts = FakeClient(), iter([3, 6])

    def cut() -> None:
        nonlocal at
        if len(client.calls) == at:
            at = next(cuts, 0)
            raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callsavvy-async'")

    at = next(cuts)
    client.on_wire = cut
    journal._patience = campaign._patience = 30.0
    report = await campaign.run(client, max_in_flight=1)
    assert client.reached == dict.fromkeys(numbers(100), 1)
    assert (report.accepted, report.unknown, report.stopped) == (100, 0, None)
