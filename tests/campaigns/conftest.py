"""A journal of each kind: in a temporary folder, or in a schema of its own on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest

from callsavvy_async.campaigns import Journal
from testbed.servers.postgres import PostgresServer
from tests.conftest import named_by
from tests.profiles import mostly_long, trio_is_long

from .raw import Raw


@pytest.fixture(scope="session")
def new_schema(postgres: PostgresServer) -> Callable[[], str]:
    """Return what makes an empty schema, which costs less than a database, and returns its URL."""
    database, numbers = postgres.new_database(), itertools.count(1)

    def make() -> str:
        schema = f"journal_{next(numbers)}"
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{database}?options=-csearch_path%3D{schema}"

    return make


JOURNALS = (("asyncio", "sqlite"), ("trio", "postgresql"), ("asyncio", "postgresql"), ("trio", "sqlite"))
"""Event loops and databases. The long suite runs all, the quick one the first: what a server costs, it costs each test.

Tests with the mark ``every_journal`` run over the first two in the quick suite too.
"""


@pytest.hookimpl(tryfirst=True)  # before the parameters of the fixtures themselves are taken
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pair loops with databases, where a test does not name one itself."""
    names = ("anyio_backend", "url")
    named = named_by(metafunc.definition)
    if not {*names} <= {*metafunc.fixturenames} or "anyio_backend" in named:
        return
    if "url" in named:
        metafunc.definition.add_marker(trio_is_long)
        return
    quick = 2 if metafunc.definition.get_closest_marker("every_journal") else 1
    every = [
        pytest.param(*pair, marks=() if number < quick else pytest.mark.long) for number, pair in enumerate(JOURNALS)
    ]
    metafunc.definition.add_marker(pytest.mark.parametrize(names, every, indirect=True))


@pytest.fixture(params=mostly_long(["sqlite", "postgresql"]))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a journal that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    return request.getfixturevalue("new_schema")()


only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
only_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)  # of rules that the server keeps
only_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@pytest.fixture
def raw(url: str) -> Raw:
    """Look at the journal, or damage it, behind its back."""
    return Raw(url)


@pytest.fixture
async def journal(anyio_backend: object, url: str) -> AsyncIterator[Journal]:
    async with Journal.open(url, patience=0.05) as opened:
        yield opened
