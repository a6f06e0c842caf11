"""A message is a row of the user's transaction: it is there if and only if the transaction commits, whatever the library."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import aiosqlite
import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from callsavvy_async import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import SMS, WhatsApp
from callsavvy_async.outbox import Outbox

from .conftest import Place

pytestmark = pytest.mark.sockets

NUMBER, TEXT = "+2348012345678", "It's 50% off: {now}, ? :v0 %s $1"
outbox = Outbox()


def rows(place: Place) -> list[tuple]:
    found = place.query("SELECT key, recipient, message, state FROM callsavvy_outbox ORDER BY id")
    return [(key, recipient, json.loads(message)["text"], state) for key, recipient, message, state in found]


def committed(key: str) -> list[tuple]:
    return [(key, NUMBER, TEXT, "pending")]


class Undo(Exception):
    """Rolls a transaction back."""


def psycopg_sync(place: Place, key: str, *, commit: bool) -> None:
    with psycopg.connect(place.database) as connection:
        outbox.send_sms(connection, NUMBER, TEXT, key=key)
        (connection.commit if commit else connection.rollback)()


def psycopg_cursor(place: Place, key: str, *, commit: bool) -> None:
    with psycopg.connect(place.database) as connection, connection.cursor() as cursor:
        outbox.send_sms(cursor, NUMBER, TEXT, key=key)
        (connection.commit if commit else connection.rollback)()


def psycopg_async(place: Place, key: str, *, commit: bool) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(place.database) as connection:
            await outbox.send_sms(connection, NUMBER, TEXT, key=key)
            await (connection.commit if commit else connection.rollback)()

    asyncio.run(run())


def asyncpg_async(place: Place, key: str, *, commit: bool) -> None:
    async def run() -> None:
        url, _, options = place.database.partition("?options=-csearch_path%3D")
        settings = {"search_path": options}
        async with (
            asyncpg.create_pool(url, min_size=1, max_size=1, server_settings=settings) as pool,
            pool.acquire() as connection,
        ):
            transaction = connection.transaction()
            await transaction.start()
            await outbox.send_sms(connection, NUMBER, TEXT, key=key)
            await (transaction.commit if commit else transaction.rollback)()

    asyncio.run(run())


def _sqlalchemy_url(place: Place, kind: str = "") -> str:
    if place.dialect == "sqlite":
        return f"sqlite{kind and '+aiosqlite'}:///{place.database}"
    return place.database.replace("postgresql://", "postgresql+psycopg://")


def sqlalchemy_connection(place: Place, key: str, *, commit: bool) -> None:
    engine = sqlalchemy.create_engine(_sqlalchemy_url(place))
    with engine.connect() as connection:
        outbox.send_sms(connection, NUMBER, TEXT, key=key)
        (connection.commit if commit else connection.rollback)()
    engine.dispose()


def sqlalchemy_session(place: Place, key: str, *, commit: bool) -> None:
    engine = sqlalchemy.create_engine(_sqlalchemy_url(place))
    with Session(engine) as session:
        outbox.send_sms(session, NUMBER, TEXT, key=key)
        (session.commit if commit else session.rollback)()
    engine.dispose()


def sqlalchemy_async(place: Place, key: str, *, commit: bool) -> None:
    async def run() -> None:
        engine = create_async_engine(_sqlalchemy_url(place, "async"))
        async with AsyncSession(engine) as session:
            await outbox.send_sms(session, NUMBER, TEXT, key=key)
            await (session.commit if commit else session.rollback)()
        async with engine.connect() as connection:
            await outbox.send_sms(connection, NUMBER, TEXT, key="never committed")
        await engine.dispose()

    asyncio.run(run())


def sqlite3_sync(place: Place, key: str, *, commit: bool) -> None:
    connection = sqlite3.connect(place.database)
    outbox.send_sms(connection, NUMBER, TEXT, key=key)
    (connection.commit if commit else connection.rollback)()
    connection.close()


def aiosqlite_async(place: Place, key: str, *, commit: bool) -> None:
    async def run() -> None:
        async with aiosqlite.connect(place.database) as connection:
            await outbox.send_sms(connection, NUMBER, TEXT, key=key)
            await (connection.commit if commit else connection.rollback)()

    asyncio.run(run())


def django_connection(place: Place, key: str, *, commit: bool) -> None:
    from django.apps import apps  # noqa: PLC0415 - the same
    from django.conf import settings  # noqa: PLC0415 - reads its settings on import
    from django.db.backends.sqlite3.base import DatabaseWrapper  # noqa: PLC0415 - the same

    if not settings.configured:
        settings.configure(USE_TZ=True)
    apps.populate([])
    options = {"NAME": place.database, "OPTIONS": {}, "TIME_ZONE": None, "CONN_MAX_AGE": 0, "AUTOCOMMIT": True}
    connection = DatabaseWrapper({**options, "CONN_HEALTH_CHECKS": False, "HOST": "", "USER": "", "PASSWORD": ""})
    connection.set_autocommit(False)  # as `atomic` does
    outbox.send_sms(connection, NUMBER, TEXT, key=key)
    (connection.commit if commit else connection.rollback)()
    with connection.cursor() as cursor:
        outbox.send_sms(cursor, NUMBER, TEXT, key="never committed")
    connection.rollback()
    connection.close()


ON_POSTGRESQL = (psycopg_sync, psycopg_cursor, psycopg_async, asyncpg_async)
ON_SQLITE = (sqlite3_sync, aiosqlite_async, django_connection)
ON_BOTH = (sqlalchemy_connection, sqlalchemy_session, sqlalchemy_async)


@pytest.mark.parametrize("run", [*ON_SQLITE, *ON_BOTH])
def test_a_row_in_sqlite_follows_its_transaction(sqlite: Place, run) -> None:
    """COMMIT leaves the row, ROLLBACK none. The text arrives as it is."""
    run(sqlite, "undone", commit=False)
    run(sqlite, "done", commit=True)
    assert rows(sqlite) == committed("done")


@pytest.mark.parametrize("run", [*ON_POSTGRESQL, *ON_BOTH])
def test_a_row_in_postgresql_follows_its_transaction(postgresql: Place, run) -> None:
    """The same in PostgreSQL."""
    run(postgresql, "undone", commit=False)
    run(postgresql, "done", commit=True)
    assert rows(postgresql) == committed("done")


def test_an_object_that_is_no_connection_is_refused() -> None:
    """The error names its type and what is known."""
    with pytest.raises(InvalidRequestError, match=r"of type builtins\.str; give a connection of psycopg, asyncpg"):
        outbox.send_sms("postgresql://db", NUMBER, TEXT)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("0801", SMS("Hello")), InvalidRequestError, "number"),
        ((NUMBER, SMS(template="Hello {name}")), InvalidRequestError, "template"),
        ((NUMBER, "Hello"), InvalidRequestError, "SMS"),
    ],
)
def test_an_invalid_message_writes_nothing(sqlite: Place, arguments, error, text: str) -> None:
    """It is refused where it is written, not by the worker."""
    connection = sqlite3.connect(sqlite.database)
    with pytest.raises(error, match=text):
        outbox.send(connection, *arguments)
    with pytest.raises(ConfigurationError, match="key is of 0 characters"):
        outbox.send_sms(connection, NUMBER, TEXT, key="")
    assert connection.total_changes == 0
    connection.close()


def test_every_channel_has_a_short_form(sqlite: Place) -> None:
    """Each row has a key of its own, which its caller can read."""
    connection = sqlite3.connect(sqlite.database)
    enqueued = [
        outbox.send_sms(connection, NUMBER, "a", sender_id="Shop"),
        outbox.send_whatsapp(connection, NUMBER, "b", channel_uid="uid-1"),
        outbox.send_robocall(connection, NUMBER, text="c", duration_minutes=1),
        outbox.send(connection, NUMBER, WhatsApp("d", channel_uid="uid-1")),
    ]
    connection.commit()
    connection.close()
    assert [key for key, *_ in rows(sqlite)] == [one.key for one in enqueued]
    assert len({one.key for one in enqueued}) == 4
    assert repr(enqueued[0]) == "<Enqueued>"


def test_awaiting_a_row_that_is_written_is_harmless(sqlite: Place) -> None:
    """Async code may use a sync connection."""
    connection = sqlite3.connect(sqlite.database)

    async def run() -> None:
        await outbox.send_sms(connection, NUMBER, TEXT, key="one")

    asyncio.run(run())
    connection.commit()
    connection.close()
    assert rows(sqlite) == committed("one")
