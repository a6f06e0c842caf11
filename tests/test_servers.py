"""The servers of the tests themselves: what was committed outlives a crash, and a port stays the same."""

from __future__ import annotations

import socket
from typing import LiteralString

import psycopg
import pytest

from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

pytestmark = pytest.mark.sockets


@pytest.mark.long
def test_postgresql_is_there_again_after_a_crash(postgres: PostgresServer) -> None:
    """Committed rows survive an immediate stop, which is a crash for PostgreSQL."""
    url = postgres.new_database()
    _run(url, "CREATE TABLE kept AS SELECT 42 AS value")
    postgres.stop("immediate")
    postgres.start()
    assert _run(url, "SELECT value FROM kept") == [(42,)]


def test_databases_are_apart(postgres: PostgresServer) -> None:
    """Each test gets an empty database."""
    first, second = postgres.new_database(), postgres.new_database()
    _run(first, "CREATE TABLE kept ()")
    assert _run(second, "SELECT 1 FROM pg_tables WHERE tablename = 'kept'") == []


def test_redis_is_empty_after_a_crash(redis: RedisServer) -> None:
    """A Redis that was killed knows nothing any more, on the same port."""
    assert _redis(redis, b"SET key value\r\n") == b"+OK\r\n"
    redis.kill()
    with pytest.raises(ConnectionRefusedError):
        _redis(redis, b"PING\r\n")
    redis.start()
    assert _redis(redis, b"GET key\r\n") == b"$-1\r\n"


def _run(url: str, statement: LiteralString) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _redis(server: RedisServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(command)
        return connection.recv(1024)
