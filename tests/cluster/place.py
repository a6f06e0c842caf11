"""Where a worker finds what it needs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing

import attrs
import psycopg

from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY

CAMPAIGN = "c"
IN_FLIGHT = 8
PATIENCE = 120.0


@attrs.frozen
class Place:
    """URLs, as the worker reaches them, and how it behaves."""

    journal: str
    queue: str
    service: str
    lease: float
    backend: str = "asyncio"
    clock_jumps: bool = False

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CALLSAVVY_BASE_URL": self.service,
            "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
            "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
        }

    def client(self) -> Callsavvy:
        return client(self.service)


def read(journal: str, statement: str, *values: object) -> list[tuple]:
    """Read a journal past the package. A statement has ``?`` for each value."""
    file = journal.removeprefix("sqlite:///")
    if file != journal:
        with closing(sqlite3.connect(file, timeout=60)) as connection:
            return connection.execute(statement, values).fetchall()
    with psycopg.connect(journal) as connection:
        return connection.execute(statement.replace("?", "%s"), values).fetchall()


def client(url: str) -> Callsavvy:
    return Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=url,
        allow_insecure=True,
        timeout=10,
        pacing=Unlimited(),
    )
