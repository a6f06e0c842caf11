"""A journal in PostgreSQL, shared by any number of processes (extra ``postgres``).

Connect to the server itself or to a pooler in session mode, because the lock of a load belongs to the session.

The journal stores its own place: the server's identifier and timeline, the database and the table. If the place changes, the
journal was restored from a copy, or a standby took over that may lack the last commits. Its pending chunks may have been
sent, so they become unknown; see `copies.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsavvy_async.campaigns.errors import JournalError, JournalMissingError, JournalUnavailableError
from callsavvy_async.campaigns.journal import copies, schema, sql
from callsavvy_async.campaigns.journal.database import Cursor, T, damaged, explain_content
from callsavvy_async.campaigns.journal.postgres_cursor import PostgresCursor
from callsavvy_async.campaigns.journal.postgres_listener import Listener
from callsavvy_async.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")

_CONNECT: Mapping[str, str | int] = {
    "application_name": "callsavvy-async",
    "connect_timeout": 10,
    # detect a silently lost server within 30 s instead of the default two hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Defaults for parameters that the URL omits."""
_SESSION = """SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '10s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')
    """
"""The time-outs keep a process that is suspended in a transaction from blocking others. The keepalives end the session of a
machine that is silently lost. Synchronous commits are required: a
power cut would otherwise undo an "in flight" mark, and the chunk would be sent again."""
_LOCK_SESSION = "SELECT pg_advisory_lock(CAST(? AS BIGINT))"
"""Tells other processes that this one lives; see `keyed.py`."""
_READ_ONLY = "SET default_transaction_read_only = on"
_HAS_TABLE = """SELECT count(*) > 0 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'journal' AND nspname = ANY (current_schemas(false))"""
"""Reads the current catalogue. `to_regclass` uses a cache that the wait for a lock does not refresh, so a process that waited
for another one to create the tables would create them again."""
_LOCK_CREATION = "SELECT pg_advisory_xact_lock(hashtext('callsavvy journal'), hashtext(current_schema()))"
_LOCK_TURN = "SELECT pg_advisory_xact_lock(hashtext('callsavvy turn'), hashtext(current_schema()))"
_PLACE = """SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
        substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()), 'journal'::regclass::oid)
    WHERE NOT pg_is_in_recovery()"""
"""The first eight digits of a WAL file's name are the timeline, which grows with each recovery and failover."""
_SERVER = "server"
_UNAVAILABLE = ("25", "42501", "3F", "57", "53")
"""SQLSTATE: the server is read-only, shutting down or out of resources; or a privilege or schema is missing."""
_TABLE_EXISTS = "42P07"
_OTHER_SESSION = ("26000", "42P05", "25P01")
"""SQLSTATE: this session lacks a prepared statement or a transaction that it created."""
_DAMAGE = ("XX001", "XX002", "42P01", "42703")
"""SQLSTATE: data or an index is corrupt; a table or a column is missing."""


class PostgreSQL:
    """A database: ``postgresql://user@host:port/database``, or another URL that libpq accepts.

    Raises:
        ConfigurationError: the URL is invalid, or the extra is not installed.
    """

    def __init__(self, url: str, *, read_only: bool, lease: float) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same
        except ImportError:
            raise ConfigurationError(
                "a journal in PostgreSQL needs an extra: pip install 'callsavvy-async[postgres]'"
            ) from None
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:  # its text contains the URL, and so the password
            raise ConfigurationError("the journal's URL is invalid; write postgresql://user@host/database.") from None
        self._psycopg = psycopg
        self._parameters: dict[str, Any] = {**_CONNECT, **given}
        self._read_only = read_only
        self._lease = lease
        self._connection: psycopg.Connection | None = None
        self.session: int = 0
        self.takes_turns: bool = False

    @property
    def name(self) -> str:
        """Host and database, without user and password."""
        host, database = (self._parameters.get(key, "") for key in ("host", "dbname"))
        return f"postgresql://{host}/{database}"

    @property
    def lease(self) -> float:
        """Seconds without a heartbeat after which a run counts as dead."""
        return self._lease

    def open(self) -> None:
        """Connect, and create the tables if they do not exist.

        Raises:
            JournalError: the tables belong to another application.
        """
        connection = self._psycopg.connect(**self._parameters, autocommit=True)
        try:
            connection.execute(_SESSION)
            cursor = PostgresCursor(connection.cursor(binary=True))
            if self._read_only:
                connection.execute(_READ_ONLY)
                self._refuse_if_none(cursor)
            else:
                self._make_ready(cursor)
                self.session = secrets.randbits(62)
                cursor.execute(_LOCK_SESSION, (self.session,)).fetchone()
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def renew(self) -> None:
        """Reconnect if the connection was lost."""
        if self._connection is None or self._connection.closed:
            self.open()

    def cursor(self) -> Cursor:
        """Return a cursor."""
        assert self._connection is not None  # noqa: S101 - set by `open`
        return PostgresCursor(self._connection.cursor(binary=True))

    def for_each(self, cursor: Cursor, statement: str, rows: Sequence[Sequence[object]]) -> list[Any]:
        """Execute a statement once for all rows of values, and return the rows of its result."""
        assert isinstance(cursor, PostgresCursor)  # noqa: S101 - made by `cursor`
        return cursor.for_each(statement, rows)

    def take_turns(self, cursor: Cursor) -> None:
        """Take a turn: until the end of the transaction, no other process takes one."""
        cursor.execute(_LOCK_TURN)
        self.takes_turns = True

    def commit(self, cursor: Cursor) -> None:
        """Commit durably."""
        cursor.execute("COMMIT")

    def steer(self, cursor: Cursor, work: Callable[[Cursor], T]) -> T:
        """Run a unit of work in a transaction that may write."""
        cursor.execute("BEGIN READ WRITE")
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(Exception):  # the connection may be lost
                cursor.execute("ROLLBACK")
            raise
        return result

    def is_abandoned(self) -> bool:
        """Return False: leases decide."""
        return False

    def listener(self, channel: str) -> Listener:
        """Return what waits for NOTIFY on a channel, over a second connection."""
        connect = partial(self._psycopg.connect, **self._parameters, autocommit=True)
        return Listener(connect, channel, self._psycopg.Error)

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()

    def explain(self, error: BaseException) -> BaseException:
        """Translate an error of PostgreSQL or of its content into one of the journal."""
        if not isinstance(error, self._psycopg.Error):
            return explain_content(error, self.name)
        state = error.sqlstate or ""
        if state in _DAMAGE:
            return damaged(self.name, type(error).__name__)
        if state == _TABLE_EXISTS:
            return JournalError(
                f"{self.name} has tables of another application; use a separate database or schema for the journal."
            )
        if state in _OTHER_SESSION:
            return JournalError(
                f"{self.name} changes the session between transactions ({type(error).__name__}), as PgBouncer does with"
                " pool_mode=transaction; connect to the server itself, or to a pool with pool_mode=session."
            )
        if isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError) or state.startswith(
            _UNAVAILABLE
        ):
            reason = str(error).partition("\n")[0]  # later lines may contain values
            return JournalUnavailableError(f"{self.name} cannot be used now: {reason}. Nothing is sent without it.")
        return JournalError(f"{self.name} rejects an update: {type(error).__name__}.")

    def damages(self, cursor: Cursor) -> list[str]:  # noqa: ARG002 - amcheck needs rights of an administrator
        """Return []: PostgreSQL checks its pages on every read, and the journal its rows."""
        return []

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite the tables with numbers or texts. The server's log and backups keep them longer."""
        cursor.execute("VACUUM (FULL) payload, skipped, campaign, reached")

    def backup(self, cursor: Cursor, path: Path) -> None:  # noqa: ARG002 - required by `Database`
        """Refuse: PostgreSQL has its own backup tools.

        Raises:
            JournalError: always.
        """
        raise JournalError(f"{self.name} needs the server's own backup tools, such as pg_dump; {path} was not written.")

    # ------------------------------------------------------------------------------------------------------ opening

    def _make_ready(self, cursor: Cursor) -> None:
        """Create the tables if they do not exist, and recover the journal if its place changed."""
        if not self._is_journal(cursor):
            cursor.execute("BEGIN")
            cursor.execute(_LOCK_CREATION)  # other processes that start now wait, and then find the tables
            if not self._is_journal(cursor):
                schema.create(cursor)
                for statement in schema.CONTROL_TABLES:
                    cursor.execute(statement)
            cursor.execute("COMMIT")
        place = self._place(cursor)
        if place is None or place == schema.fact(cursor, _SERVER):
            return
        cursor.execute("BEGIN")
        cursor.execute(sql.LOCK_IDS).fetchone()
        noted = schema.fact(cursor, _SERVER)
        if noted not in {None, place}:
            copies.recover(cursor, None)
        schema.set_fact(cursor, _SERVER, place)
        cursor.execute("COMMIT")

    def _refuse_if_none(self, cursor: Cursor) -> None:
        if not self._is_journal(cursor):
            raise JournalMissingError(f"there is no journal in {self.name}.")

    def _is_journal(self, cursor: Cursor) -> bool:
        (exists,) = cursor.execute(_HAS_TABLE).fetchone()
        if exists:
            schema.check(cursor, self.name)
        return bool(exists)

    def _place(self, cursor: Cursor) -> str | None:
        """Return the place of the journal; None if the server does not reveal it, or is a standby."""
        try:
            found = cursor.execute(_PLACE).fetchone()
        except (self._psycopg.errors.InsufficientPrivilege, self._psycopg.NotSupportedError):
            return None
        return None if found is None else str(found[0])
