"""A journal in PostgreSQL, which any number of processes use at once (extra ``postgres``).

Connect to the server itself, or to a pooler that gives each client a session of its own: the lock of a load belongs to
the session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from callsavvy_async.campaigns.errors import JournalDamagedError, JournalUnavailableError
from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.database import Cursor, explain_content
from callsavvy_async.campaigns.journal.migrate import bring_forward, refuse_older, version_of
from callsavvy_async.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")

_CONNECT: Mapping[str, str | int] = {
    "application_name": "callsavvy-async",
    "connect_timeout": 10,
    # a server that went away without a word is noticed in half a minute, and not after two hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""What a URL need not say."""
_SESSION = """SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')
    """
"""A process that is stopped in the middle of a transaction keeps nobody waiting. And durable means durable: a mark "in
flight" that a power cut undoes would be sent again."""
_READ_ONLY = "SET default_transaction_read_only = on"
_HAS_TABLE = """SELECT count(*) > 0 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'journal' AND nspname = ANY (current_schemas(false))"""
"""Reads the catalogue as it is now. `to_regclass` answers from a cache that the wait for a lock does not refresh: who waited
while another process made the tables would make them again."""
_LOCK_MIGRATION = "SELECT pg_advisory_xact_lock(hashtext('callsavvy journal'), hashtext(current_schema()))"
_REFUSED = ("25", "42", "3F")
"""Classes of SQLSTATE: a server that takes no writes, a right or a schema that is missing."""
_NOT_OURS = "42P07"


class PostgreSQL:
    """A database: ``postgresql://user@host:port/database``, or whatever else libpq takes as a URL.

    Raises:
        ConfigurationError: it is no such URL, or the extra is not installed.
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
        except psycopg.Error:  # its text would show the URL, and so its password
            raise ConfigurationError(
                "the journal's URL cannot be read; write postgresql://user@host/database."
            ) from None
        self._psycopg = psycopg
        self._parameters: dict[str, Any] = {**_CONNECT, **given}
        self._read_only = read_only
        self._lease = lease
        self._connection: psycopg.Connection | None = None

    @property
    def name(self) -> str:
        """Host and database; neither user nor password."""
        host, database = (self._parameters.get(key, "") for key in ("host", "dbname"))
        return f"postgresql://{host}/{database}"

    @property
    def lease(self) -> float:
        """Seconds after which a run that does not write is taken for dead."""
        return self._lease

    def open(self) -> None:
        """Connect, and make the tables if there are none.

        Raises:
            JournalError: it is no journal of ours.
        """
        connection = self._psycopg.connect(**self._parameters, autocommit=True)
        try:
            connection.execute(_SESSION)
            cursor = _Cursor(connection.cursor(binary=True))
            version = self._version(cursor)
            if self._read_only:
                connection.execute(_READ_ONLY)
                refuse_older(version, self.name)
            elif version < sql.VERSION:
                self._migrate(cursor)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def renew(self) -> None:
        """Connect again when the connection was lost."""
        if self._connection is None or self._connection.closed:
            self.open()

    def cursor(self) -> Cursor:
        """Return a cursor."""
        assert self._connection is not None  # noqa: S101 - `open` comes first
        return _Cursor(self._connection.cursor(binary=True))

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()

    def explain(self, error: BaseException) -> BaseException:
        """Return what an error of PostgreSQL, or of reading what it gave, means for the journal."""
        if not isinstance(error, self._psycopg.Error):
            return explain_content(error, self.name)
        state = error.sqlstate or ""
        if state == _NOT_OURS:
            return JournalDamagedError(
                f"{self.name} has tables of something else; give the journal a database or a schema of its own."
            )
        if isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError) or state[:2] in _REFUSED:
            reason = str(error).partition("\n")[0]  # the lines that follow may show values
            return JournalUnavailableError(f"{self.name} cannot be used now: {reason}. Nothing is sent without it.")
        return JournalDamagedError(f"{self.name} is damaged: {type(error).__name__}. Restore it from a copy.")

    def damages(self, cursor: Cursor) -> list[str]:  # noqa: ARG002 - amcheck is for those who run the server
        """Say nothing: PostgreSQL checks its pages as it reads them, and the journal its rows."""
        return []

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite the tables that hold numbers or texts. Its log and its copies are the server's to forget."""
        cursor.execute("VACUUM (FULL) payload, skipped, campaign")

    def _version(self, cursor: Cursor) -> int:
        (exists,) = cursor.execute(_HAS_TABLE).fetchone()
        return version_of(cursor, self.name, exists=exists)

    def _migrate(self, cursor: Cursor) -> None:
        """Bring it forward, once: of those that start together the others wait, and find it done."""
        cursor.execute("BEGIN")
        cursor.execute(_LOCK_MIGRATION)
        bring_forward(cursor, self._version(cursor))
        cursor.execute("COMMIT")


class _Cursor:
    """A cursor of psycopg that takes the journal's SQL."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, values: Sequence[object] = (), /) -> _Cursor:
        self._cursor.execute(_translated(statement), [_storable(value) for value in values] or None)
        return self

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> None:
        self._cursor.executemany(_translated(statement), [[_storable(value) for value in row] for row in values])

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._cursor.fetchone()

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._cursor)


@lru_cache(maxsize=256)
def _translated(statement: str) -> bytes:
    """Return a statement as PostgreSQL has it; see `database.py`."""
    locking = re.sub(r"/\*!(.*?)\*/", r"\1", statement, flags=re.DOTALL)
    clock = locking.replace("clock()", "extract(epoch FROM clock_timestamp())::float8")
    return clock.replace("?", "%s").encode()


def _storable(value: object) -> object:
    """Replace what a text of PostgreSQL cannot hold: an API or a list may send NUL, and its outcome must be written."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) and "\0" in value else value
