"""A journal in a SQLite file, written by one process at a time."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from callsavvy_async.campaigns.errors import JournalError, JournalMissingError, JournalUnavailableError
from callsavvy_async.campaigns.journal import copies, schema, sqlite_control
from callsavvy_async.campaigns.journal.database import Cursor, T, damaged, explain_content
from callsavvy_async.campaigns.journal.lock import FileLock, identity_of, make_private, unusable
from callsavvy_async.campaigns.journal.sqlite_control import add_clock, control_file
from callsavvy_async.campaigns.journal.witness import Witness
from callsavvy_async.errors import CallsavvyError

SCHEME = "sqlite:///"
_MAGIC = b"SQLite format 3\0"
"""First bytes of a SQLite file (SQLite: "Database File Format")."""
_UNREADABLE = "Could not decode"
"""Beginning of sqlite3's error for invalid UTF-8. The error's remainder is the text itself."""
_OTHER_TABLES = re.compile("no such (table|column)|has no column")
_DEPARTURES = "departures"
_WATCH_DEPARTURES = """CREATE TEMP TRIGGER departed AFTER UPDATE OF state ON chunk WHEN NEW.state = 'in_flight'
    BEGIN SELECT departed(NEW.campaign, NEW.zone, NEW.number); END"""
_WATCH_KEYS = "CREATE TEMP TRIGGER keyed_departed AFTER INSERT ON keyed BEGIN SELECT keyed_departed(); END"
"""A temporary trigger belongs to the connection and is not stored in the file."""


def _make_file(path: Path) -> None:
    """Create the file if it is missing, for its owner only, and refuse one that has two names."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise unusable(path, error) from None
    if path.stat().st_nlink > 1:
        raise JournalError(
            f"{path} has a second name (a hard link), under which another process may write it; remove one."
        )
    for file in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))):
        make_private(file)


class SQLite:
    """A file: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``."""

    lease = None
    takes_turns = False

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._path = path = Path(url.removeprefix(SCHEME)).resolve()  # so that a link has the same lock
        self._read_only = read_only
        lock = path.with_name(f"{path.name}.lock")
        self._lock = FileLock(lock)
        self._guarded = (path,) if read_only else (path, lock, control_file(path))
        self._opened: dict[Path, tuple[int, int] | None] = {}
        self._connection: sqlite3.Connection
        self._cursor: sqlite3.Cursor
        self._witness: Witness | None = None
        self._departed: dict[tuple[int, str], int] = {}
        self._key_departed = False
        self.session: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.name

    def open(self) -> None:
        """Open the file, and create it if it does not exist. A reader never writes, not even a checkpoint.

        Raises:
            JournalError: the file cannot be opened, or belongs to another application.
        """
        self._refuse_other_files()
        if self._read_only:
            self._connection, self._cursor = self._connect_read_only()
        else:
            descriptor = self._lock.acquire()
            try:
                self._connection, self._cursor = self._connect(descriptor)
            except BaseException:
                self._lock.release()
                raise
        self._opened = {path: identity_of(path) for path in self._guarded}
        self.session = secrets.randbits(62)

    def renew(self) -> None:
        """Check that the journal's files have not been moved or removed.

        Raises:
            JournalUnavailableError: a file is missing or another one.
        """
        for path, identity in self._opened.items():
            if identity_of(path) != identity:
                raise JournalUnavailableError(
                    f"{path} was moved or removed while it was open; nothing is sent without it."
                )

    def cursor(self) -> sqlite3.Cursor:
        """Return the only cursor. A second one, left open, would keep the file open after `close`."""
        return self._cursor

    def for_each(self, cursor: Cursor, statement: str, rows: Sequence[Sequence[object]]) -> list[Any]:
        """Execute a statement for each row of values, and return the rows of all results."""
        return [found for row in rows for found in cursor.execute(statement, row).fetchall()]

    def take_turns(self, cursor: Cursor) -> None:
        """Do nothing: one process at a time writes the file, in one thread."""

    def commit(self, cursor: Cursor) -> None:
        """Commit durably, then record in the witness which chunks are in flight."""
        if not (self._departed or self._key_departed) or self._witness is None:
            cursor.execute("COMMIT")
            return
        departures = self._witness.departures + 1
        schema.set_fact(cursor, _DEPARTURES, str(departures))
        cursor.execute("COMMIT")
        self._witness.note(departures, self._departed)
        self._departed.clear()
        self._key_departed = False

    def steer(self, cursor: Cursor, work: Callable[[Cursor], T]) -> T:
        """Run a unit of work on the control file. The journal needs neither its lock nor write access."""
        journal_id = self._id(cursor)
        result = sqlite_control.write(self._path, journal_id, work)
        if self._read_only:  # the file may be new
            self._connection.execute("DETACH DATABASE control")
            sqlite_control.attach_read_only(self._connection, self._path, journal_id)
        return result

    def is_abandoned(self) -> bool:
        """Return True if no process has the journal open for writing."""
        return self._read_only and self._lock.is_free()

    def close(self) -> None:
        """Close the file and release its lock."""
        with suppress(sqlite3.Error):  # every commit is already durable
            self._cursor.close()
            self._connection.close()
        if self._witness is not None:
            self._witness.close()
        self._lock.release()

    def explain(self, error: BaseException) -> BaseException:
        """Translate an error of SQLite or of its content into one of the journal."""
        if isinstance(error, CallsavvyError):
            return error
        if _UNREADABLE in str(error):
            return damaged(self.name, "a text in it is not UTF-8")
        if _is_damage(error):
            return damaged(self.name, str(error))
        if isinstance(error, sqlite3.OperationalError):
            return JournalUnavailableError(f"{self._path} cannot be used now: {error}. Nothing is sent without it.")
        if isinstance(error, sqlite3.Error):
            return JournalError(f"{self._path} rejects an update: {error}.")
        return explain_content(error, self.name)

    def damages(self, cursor: Cursor) -> list[str]:
        """Return SQLite's findings about the file."""
        found = [str(row[0]) for row in cursor.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else [f"the file: {finding}" for finding in found]

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite the file, to erase deleted rows in it and in its log."""
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def backup(self, cursor: Cursor, path: Path) -> None:
        """Write a snapshot of the journal to a new file, and of its control file to one beside it.

        Raises:
            JournalError: the file exists, or cannot be written.
        """
        made: list[Path] = []
        try:
            for database, copy in (("main", path), ("control", control_file(path))):
                os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                made.append(copy)
                cursor.execute(f"VACUUM {database} INTO ?", (str(copy),))
        except BaseException as error:
            for copy in made:
                copy.unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                raise JournalError(f"{error.filename} exists; name a new file for the copy.") from None
            if isinstance(error, OSError):
                raise unusable(path, error) from None
            raise

    # ------------------------------------------------------------------------------------------------------ opening

    def _connect(self, lock: int) -> tuple[sqlite3.Connection, sqlite3.Cursor]:
        path = self._path
        new = not path.exists()
        _make_file(path)
        connection = sqlite3.connect(path, isolation_level=None)
        with self._closed_on_error(connection) as cursor:
            new = new or path.stat().st_size == 0 or not self._is_journal(cursor)
            # Fetched, because PyPy ends a statement only with its last row, and a transaction needs all to be ended.
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone leaves the disk's cache
            add_clock(connection)
            connection.execute("BEGIN IMMEDIATE")
            if new:
                schema.create(cursor)
            self._witness = self._check_witness(cursor, lock)
            connection.execute("COMMIT")
            connection.create_function("departed", 3, self._on_departure)
            connection.execute(_WATCH_DEPARTURES)
            connection.create_function("keyed_departed", 0, self._on_key_departure)
            connection.execute(_WATCH_KEYS)
            sqlite_control.attach(connection, path, self._id(cursor))
        return connection, cursor

    def _connect_read_only(self) -> tuple[sqlite3.Connection, sqlite3.Cursor]:
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        with self._closed_on_error(connection) as cursor:
            add_clock(connection)
            if not self._is_journal(cursor):
                raise JournalError(f"{self._path} is empty; open it once without read_only=True.")
            sqlite_control.attach_read_only(connection, self._path, self._id(cursor))
        return connection, cursor

    def _id(self, cursor: Cursor) -> str:
        return schema.fact(cursor, "id") or ""

    def _is_journal(self, cursor: sqlite3.Cursor) -> bool:
        """Return True if the file is a journal, and False if it has no tables, as after an interrupted creation."""
        tables = {name for (name,) in cursor.execute("SELECT name FROM sqlite_master")}  # and views
        if tables and "journal" not in tables:
            raise JournalError(f"{self._path} is a database of another application; name another file for the journal.")
        if tables:
            schema.check(cursor, str(self._path))
        return bool(tables)

    def _check_witness(self, cursor: sqlite3.Cursor, lock: int) -> Witness:
        """Compare the journal with its witness, and recover it if it is an older copy."""
        witness = Witness(self._id(cursor), lock)
        witness.recall()
        departures = int(schema.fact(cursor, _DEPARTURES) or 0)
        if witness.departures > departures:
            copies.recover(cursor, witness.reached)
            schema.set_fact(cursor, _DEPARTURES, str(witness.departures))
        witness.departures = max(witness.departures, departures)
        return witness

    def _on_departure(self, campaign: int, zone: str, number: int) -> None:
        """Note that the next commit puts a chunk in flight. A rollback does not remove the note, which is safe."""
        key = (campaign, zone)
        self._departed[key] = max(number, self._departed.get(key, 0))

    def _on_key_departure(self) -> None:
        """Note that the next commit puts a keyed request in flight."""
        self._key_departed = True

    def _refuse_other_files(self) -> None:
        """Refuse a file of another format before any file is created. SQLite would overwrite a small one."""
        try:
            begins = _beginning(self._path) if self._path.is_file() else b""
        except OSError as error:
            raise unusable(self._path, error) from None
        if begins and begins != _MAGIC:
            raise JournalError(f"{self._path} is no journal; name another file, or one that does not exist yet.")
        if self._read_only and not self._path.exists():
            raise JournalMissingError(f"there is no journal {self._path}.")

    @contextmanager
    def _closed_on_error(self, connection: sqlite3.Connection) -> Generator[sqlite3.Cursor]:
        cursor = connection.cursor()
        try:
            yield cursor
        except Exception as error:  # noqa: BLE001 - translated
            cursor.close()
            connection.close()
            raise self.explain(error) from None


def _is_damage(error: BaseException) -> bool:
    """Return True if an error means that the file is corrupt, or a table or column is missing."""
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code, without the extended bits
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or bool(_OTHER_TABLES.search(str(error)))


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MAGIC))
