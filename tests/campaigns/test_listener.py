"""What waits for NOTIFY: it wakes at once, survives the loss of its connection, and ends when it is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from callsavvy_async.campaigns.journal.postgres import PostgreSQL
from callsavvy_async.campaigns.journal.postgres_listener import Listener

pytestmark = pytest.mark.sockets

FAR = 60.0
"""Seconds that no test waits."""


@pytest.fixture
def database(new_schema: Callable[[], str]) -> str:
    return new_schema()


def listener(database: str) -> Listener:
    return PostgreSQL(database, read_only=True, lease=30).listener("news")


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_notification_ends_the_wait(database: str) -> None:
    """One that comes before the wait, but after the first one, counts too."""
    waiting = listener(database)
    waiting.wait(0.01)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("NOTIFY news")
    began = time.monotonic()
    waiting.wait(FAR)
    assert time.monotonic() - began < FAR / 2
    waiting.close()


def test_closing_ends_the_wait(database: str) -> None:
    """From another thread, and without waiting for the time to pass."""
    waiting = listener(database)
    thread = in_thread(lambda: waiting.wait(FAR))
    waiting.close()
    thread.join(FAR / 2)
    assert not thread.is_alive()
    waiting.wait(FAR)


def test_a_lost_connection_is_only_a_wait(database: str) -> None:
    """The next wait connects again."""
    connections = []

    def connect() -> psycopg.Connection:
        connections.append(psycopg.connect(database, autocommit=True))
        return connections[-1]

    waiting = Listener(connect, "news", psycopg.Error)
    waiting.wait(0.01)
    (pid,) = connections[0].execute("SELECT pg_backend_pid()").fetchone()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    waiting.wait(0.05)
    waiting.wait(0.01)
    assert len(connections) == 2
    waiting.close()


def test_a_server_that_does_not_answer_is_only_a_wait() -> None:
    """Nothing was connected, so nothing is closed."""
    waiting = PostgreSQL("postgresql://127.0.0.1:9/none", read_only=True, lease=30).listener("news")
    waiting.wait(0.05)
    waiting.close()
