"""The shared row in PostgreSQL: one statement for each request, atomic by the row's lock.

psycopg runs synchronously in a worker thread, which works under asyncio and trio. If a statement takes too long, its
socket is shut down, which ends the statement and the connection.

The first client creates the table, under a lock. A role without the right to create tables needs an existing one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import LiteralString, TypeVar

import anyio
import anyio.to_thread
import attrs
import psycopg

from callsavvy_async.policy.reservation_protocol import Reserve, RowRequest, RowState
from callsavvy_async.transport.shared.reservation_store import (
    LEASE,
    PATIENCE,
    ReservationStore,
    UnreachableError,
    describe,
)

T = TypeVar("T")

TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS callsavvy_pacing (
    name text PRIMARY KEY,
    version text NOT NULL,
    controller text NOT NULL,
    slot double precision NOT NULL,
    taken bigint NOT NULL,
    after_idle bigint NOT NULL,
    idle double precision NOT NULL,
    processes jsonb NOT NULL
) WITH (fillfactor = 10)  -- leaves room in the page for new versions of a row
"""
_SESSION: LiteralString = "SET default_transaction_isolation = 'read committed'; SET synchronous_commit = off"
"""Without synchronous commits: a crash may lose reservations that are at most a second old."""
_LOCK = 0x63616C6C70616365  # of the transaction that creates the table

_BEGIN: LiteralString = """
WITH clock AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp())::double precision AS now),
requester AS MATERIALIZED (
    SELECT now, jsonb_build_object(%(process)s::text, now + %(lease)s) AS process FROM clock
)
INSERT INTO callsavvy_pacing AS row (name, version, controller, slot, taken, after_idle, idle, processes)
"""
_PROCESSES: LiteralString = """
    processes = (
        SELECT coalesce(jsonb_object_agg(key, value), '{}') || (SELECT process FROM requester)
        FROM jsonb_each(row.processes) WHERE value::double precision > (SELECT now FROM clock)
    )
RETURNING (SELECT now FROM clock), version, controller, slot, taken, after_idle, idle,
    (SELECT count(*) FROM jsonb_object_keys(processes))
"""
_RESERVE: LiteralString = (
    _BEGIN
    + """
SELECT %(name)s, '', '', 0, 0, 0, 0, process FROM requester
ON CONFLICT (name) DO UPDATE SET (slot, taken, after_idle, idle) = (
        SELECT
            CASE WHEN ours AND %(count)s > 0 THEN greatest(row.slot, earliest) + length ELSE row.slot END,
            row.taken + CASE WHEN ours THEN counted * %(count)s - %(released)s ELSE 0 END,
            row.after_idle + CASE WHEN ours AND NOT on_time THEN counted * %(count)s ELSE 0 END,
            row.idle + CASE
                WHEN NOT ours OR counted * %(count)s = 0 THEN 0
                WHEN on_time THEN %(throttled_for)s
                ELSE earliest - row.slot + length
            END
        FROM (SELECT now - %(credit)s::double precision AS earliest FROM clock) AS first,
            LATERAL (
                SELECT
                    row.version = %(version)s AND row.version <> '' AS ours,
                    %(counted)s::int AS counted,
                    row.slot >= earliest AS on_time,
                    %(count)s * %(interval)s::double precision AS length
            ) AS reservation
    ),
"""
    + _PROCESSES
)
_REPLACE: LiteralString = (
    _BEGIN
    + """
SELECT %(name)s, %(version)s, %(controller)s, %(slot)s, 0, 0, 0, process FROM requester
ON CONFLICT (name) DO UPDATE SET (version, controller, slot, taken, after_idle, idle) = (
        SELECT %(version)s, %(controller)s, %(slot)s::double precision, 0, 0, 0 WHERE row.version = %(expected)s
        UNION ALL
        SELECT row.version, row.controller, row.slot, row.taken, row.after_idle, row.idle WHERE row.version <> %(expected)s
    ),
"""
    + _PROCESSES
)


class PostgresReservations:
    """The row of one limit, over a dedicated connection."""

    def __init__(self, url: str, name: str, process: str) -> None:
        self._connection: psycopg.Connection | None = None
        self._url = url
        self._fixed = {"name": name, "process": process, "lease": LEASE}
        self._thread = anyio.CapacityLimiter(1)
        """Separate from anyio's default limiter, whose threads the program may use up."""
        self._busy = False
        self._left = False

    async def open(self) -> None:
        """Connect, and create the table if it is missing.

        Raises:
            UnreachableError: The connection or the table could not be created.
        """
        await self._do(self._open, within=2 * PATIENCE)

    async def execute(self, request: RowRequest) -> RowState:
        """See `ReservationStore.execute`."""
        return await self._do(partial(self._execute, request), within=PATIENCE)

    def leave(self) -> None:
        """Close the connection. A thread that still uses it closes it at its end."""
        self._left = True
        if self._connection is None:
            return
        if not self._busy:
            self._connection.close()
            return
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)

    async def _do(self, work: Callable[[], T], *, within: float) -> T:
        def in_thread() -> T:
            self._busy = True
            try:
                return work()
            finally:
                self._busy = False
                if self._left and self._connection is not None:
                    self._connection.close()

        try:
            with anyio.fail_after(within):
                return await anyio.to_thread.run_sync(in_thread, abandon_on_cancel=True, limiter=self._thread)
        except (psycopg.Error, OSError) as error:  # a TimeoutError is an OSError
            raise UnreachableError(describe(error, self._url)) from error

    def _open(self) -> None:
        self._connection = connection = psycopg.connect(
            self._url, autocommit=True, connect_timeout=2, application_name="callsavvy pacing"
        )
        if self._left:
            return
        connection.execute(_SESSION)
        if connection.execute("SELECT to_regclass('callsavvy_pacing')").fetchone() == (None,):
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(TABLE)

    def _execute(self, request: RowRequest) -> RowState:
        assert self._connection is not None  # noqa: S101 - set by `open`
        found = self._connection.execute(
            _RESERVE if isinstance(request, Reserve) else _REPLACE, self._fixed | attrs.asdict(request), prepare=True
        ).fetchone()
        assert found is not None  # noqa: S101 - INSERT .. ON CONFLICT DO UPDATE always returns the row
        return RowState(*found)


@asynccontextmanager
async def connect(url: str, name: str, process: str) -> AsyncGenerator[ReservationStore, None]:
    """Open the row `name` on behalf of `process`."""
    row = PostgresReservations(url, name, process)
    try:
        await row.open()
        yield row
    finally:
        row.leave()
