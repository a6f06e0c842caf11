"""The shared row in Redis or Valkey: a hash, a sorted set of processes, and two atomic scripts.

The clock is the server's. A row expires after a week without requests. Both keys have the same hash tag, so that a cluster
behind a proxy stores them in one slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import anyio
import attrs
from coredis import Redis
from coredis.connection import BaseConnection
from coredis.exceptions import NoScriptError, RedisError

from callsavvy_async.policy.reservation_protocol import Reserve, RowRequest, RowState
from callsavvy_async.transport.shared.reservation_store import (
    LEASE,
    PATIENCE,
    ReservationStore,
    UnreachableError,
    describe,
)

DEFAULT_PORT = 6379

_BEGIN = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local row = redis.call('HMGET', KEYS[1], 'version', 'controller', 'slot', 'taken', 'after_idle', 'idle')
local version, controller = row[1] or '', row[2] or ''
local slot, taken = tonumber(row[3] or '0'), tonumber(row[4] or '0')
local after_idle, idle = tonumber(row[5] or '0'), tonumber(row[6] or '0')
local function exact(number) return string.format('%.17g', number) end
"""
_END = """
redis.call('ZADD', KEYS[2], exact(now + tonumber(ARGV[2])), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', exact(now))
redis.call('EXPIRE', KEYS[1], 604800)
redis.call('EXPIRE', KEYS[2], 60)
return {exact(now), version, controller, exact(slot), taken, after_idle, exact(idle), redis.call('ZCARD', KEYS[2])}
"""


class _Script:
    """A script, built around its middle part, and its SHA-1 digest for EVALSHA."""

    def __init__(self, middle: str) -> None:
        self.text = _BEGIN + middle + _END
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_RESERVE = _Script("""
if version == ARGV[3] and version ~= '' then
    local count, interval, counted = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[7] == '1'
    local earliest, length = now - tonumber(ARGV[6]), count * interval
    taken = taken - tonumber(ARGV[8])
    if count > 0 then
        if counted then
            taken = taken + count
        end
        if counted and slot < earliest then
            after_idle, idle = after_idle + count, idle + (earliest - slot) + length
        elseif counted then
            idle = idle + tonumber(ARGV[9])
        end
        slot = math.max(slot, earliest) + length
    end
    redis.call('HSET', KEYS[1], 'slot', exact(slot), 'taken', taken, 'after_idle', after_idle, 'idle', exact(idle))
    controller = ''
end
""")
_REPLACE = _Script("""
if version == ARGV[3] then
    version, controller, slot, taken, after_idle, idle = ARGV[4], ARGV[5], tonumber(ARGV[6]), 0, 0, 0
    redis.call('HSET', KEYS[1], 'version', version, 'controller', controller, 'slot', exact(slot),
        'taken', 0, 'after_idle', 0, 'idle', 0)
end
""")


class RedisReservations:
    """The row of one limit, over one connection that never reconnects, so that the caller notices a loss.

    Args:
        connection: Dedicated connection.
        url: URL of the server.
        name: Name of the row.
        process: Name of this process.
    """

    def __init__(self, connection: BaseConnection, url: str, name: str, process: str) -> None:
        self._connection = connection
        self._url = url
        key = f"callsavvy:pacing:{{{name}}}"
        self._fixed = (2, key, f"{key}:processes", process, LEASE)

    async def execute(self, request: RowRequest) -> RowState:
        """See `ReservationStore.execute`."""
        script = _RESERVE if isinstance(request, Reserve) else _REPLACE
        arguments = (*self._fixed, *_arguments(request))
        try:
            try:
                reply = await self._connection.create_request(b"EVALSHA", script.digest, *arguments)
            except NoScriptError:
                reply = await self._connection.create_request(b"EVAL", script.text, *arguments)
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            raise UnreachableError(describe(error, self._url)) from error
        return _parse(cast("list[str]", reply))


@asynccontextmanager
async def connect(url: str, name: str, process: str) -> AsyncGenerator[ReservationStore, None]:
    """Open the row `name` on behalf of `process`."""
    scheme, rest = url.split("://", 1)
    address = f"{'rediss' if scheme in {'rediss', 'valkeys'} else 'redis'}://{rest}"
    try:
        await _check_reachable(address)
        client = Redis[str].from_url(address, decode_responses=True, connect_timeout=PATIENCE, stream_timeout=PATIENCE)
        async with client, client.connection_pool.acquire() as connection:
            yield RedisReservations(connection, url, name, process)
    except (RedisError, OSError) as error:
        raise UnreachableError(describe(error, url)) from error
    except ExceptionGroup as group:
        raise UnreachableError(describe(group, url)) from group


async def _check_reachable(address: str) -> None:
    """Open a TCP connection first: coredis 6.9 leaves a stream unclosed for each connection that it cannot open."""
    parts = urlsplit(address)
    with anyio.fail_after(PATIENCE):
        await (await anyio.connect_tcp(parts.hostname or "", parts.port or DEFAULT_PORT)).aclose()


def _arguments(request: RowRequest) -> tuple[str | float, ...]:
    """Return the fields in their order, which is that of the script's arguments; Redis takes no booleans."""
    return tuple(int(value) if isinstance(value, bool) else value for value in attrs.astuple(request))


def _parse(reply: list[str]) -> RowState:
    now, version, controller, slot, taken, after_idle, idle, processes = reply
    return RowState(
        float(now), version, controller, float(slot), int(taken), int(after_idle), float(idle), int(processes)
    )
