"""A database of the user with an outbox: a SQLite file, or a schema on a real PostgreSQL."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import attrs
import psycopg
import pytest

from callsavvy_async.outbox import migration
from testbed.servers.postgres import PostgresServer


@attrs.frozen
class Place:
    """Where an outbox is, and the journal of its workers."""

    dialect: str
    database: str
    """URL or file of the user's database."""
    journal: str
    outbox: str | None
    """Argument of `OutboxWorker`."""

    def query(self, statement: str) -> list[tuple]:
        """Execute a statement on a connection of the user, and commit."""
        if self.dialect == "sqlite":
            connection = sqlite3.connect(self.database, isolation_level=None)
        else:
            connection = psycopg.connect(self.database, autocommit=True)
        try:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@pytest.fixture(scope="session")
def new_schema(postgres: PostgresServer) -> Callable[[], str]:
    """Return what makes an empty schema with an outbox, and returns its URL."""
    database, numbers = postgres.new_database(), itertools.count(1)

    def make() -> str:
        schema = f"outbox_{next(numbers)}"
        url = f"{database}?options=-csearch_path%3D{schema}"
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        with psycopg.connect(url) as connection:
            connection.execute(migration("postgresql"))
        return url

    return make


@pytest.fixture
def postgresql(new_schema: Callable[[], str]) -> Place:
    """An outbox in PostgreSQL, with the journal beside it."""
    url = new_schema()
    return Place("postgresql", url, url, None)


@pytest.fixture
def sqlite(tmp_path: Path) -> Place:
    """An outbox in a SQLite file, with the journal in another one."""
    file = tmp_path / "app.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(migration("sqlite"))
    connection.close()
    return Place("sqlite", str(file), f"sqlite:///{tmp_path / 'sends.db'}", f"sqlite:///{file}")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """An outbox of each kind."""
    found: Place = request.getfixturevalue(request.param)
    return found
