"""The servers of the tests themselves: what was committed outlives a crash, and a port stays the same."""

from __future__ import annotations

import socket
import subprocess

import pytest

from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

pytestmark = pytest.mark.sockets


def test_postgresql_is_there_again_after_a_crash(postgres: PostgresServer) -> None:
    """Committed rows survive an immediate stop, which is a crash for PostgreSQL."""
    url = postgres.new_database()
    _psql(url, "CREATE TABLE kept AS SELECT 42 AS value")
    postgres.stop("immediate")
    postgres.start()
    assert _psql(url, "SELECT value FROM kept") == "42"


def test_databases_are_apart(postgres: PostgresServer) -> None:
    """Each test gets an empty database."""
    first, second = postgres.new_database(), postgres.new_database()
    _psql(first, "CREATE TABLE kept ()")
    assert _psql(second, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == "0"


def test_redis_is_empty_after_a_crash(redis: RedisServer) -> None:
    """A Redis that was killed knows nothing any more, on the same port."""
    assert _redis(redis, b"SET key value\r\n") == b"+OK\r\n"
    redis.kill()
    with pytest.raises(ConnectionRefusedError):
        _redis(redis, b"PING\r\n")
    redis.start()
    assert _redis(redis, b"GET key\r\n") == b"$-1\r\n"


def _psql(url: str, statement: str) -> str:
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", f"--command={statement}", url]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _redis(server: RedisServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(command)
        return connection.recv(1024)
