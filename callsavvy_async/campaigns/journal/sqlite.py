"""A journal in a SQLite file: durable, private, checked, and written by one process at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError, JournalUnavailableError
from callsavvy_async.campaigns.journal.database import Cursor, explain_content
from callsavvy_async.campaigns.journal.lock import FileLock
from callsavvy_async.campaigns.journal.migrate import bring_forward, refuse_older, version_of
from callsavvy_async.errors import CallsavvyError

SCHEME = "sqlite:///"
_UNREADABLE = "Could not decode"
"""How the error begins that sqlite3 raises for a text that is none; the rest of it is the text."""


class SQLite:
    """A file: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``."""

    lease = None

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._path = path = Path(url.removeprefix(SCHEME)).resolve()  # or a link's lock would be another
        self._read_only = read_only
        lock = path.with_name(f"{path.name}.lock")
        self._lock = FileLock(lock)
        self._guarded = (path,) if read_only else (path, lock)
        self._opened: dict[Path, tuple[int, int] | None] = {}
        self._connection: sqlite3.Connection

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.name

    def open(self) -> None:
        """Open the file, making it if there is none; a reader never writes, not even a checkpoint.

        Raises:
            JournalError: it cannot be opened, or is no journal of ours.
        """
        if self._read_only:
            self._connection = self._connect_read_only()
        else:
            self._lock.acquire()
            try:
                self._connection = self._connect()
            except BaseException:
                self._lock.release()
                raise
        self._opened = {path: _identity(path) for path in self._guarded}

    def renew(self) -> None:
        """Raise when one of the files is not there any more under its name."""
        for path, identity in self._opened.items():
            if _identity(path) != identity:
                raise JournalUnavailableError(
                    f"{path} was moved or removed while it was open; nothing is sent without it."
                )

    def cursor(self) -> sqlite3.Cursor:
        """Return a cursor."""
        return self._connection.cursor()

    def close(self) -> None:
        """Close the file, and let others write it."""
        with suppress(sqlite3.Error):  # the last commit is long durable
            self._connection.close()
        self._lock.release()

    def explain(self, error: BaseException) -> BaseException:
        """Return what an error of SQLite, or of reading what it gave, means for the journal."""
        if isinstance(error, CallsavvyError):
            return error
        if _UNREADABLE in str(error):
            error = ValueError()  # it is not repeated either
        if isinstance(error, sqlite3.OperationalError):
            return JournalUnavailableError(f"{self._path} cannot be used now: {error}. Nothing is sent without it.")
        if isinstance(error, sqlite3.Error):
            return JournalDamagedError(f"{self._path} is damaged, or no journal: {error}. Restore it from a copy.")
        return explain_content(error, str(self._path))

    def damages(self, cursor: Cursor) -> list[str]:
        """Say what SQLite finds wrong with the file."""
        found = [str(row[0]) for row in cursor.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else [f"the file: {finding}" for finding in found]

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite the file, so that nothing deleted is left in it or in its log."""
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # ------------------------------------------------------------------------------------------------------ opening

    def _connect(self) -> sqlite3.Connection:
        path = self._path
        new = not path.exists()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise JournalUnavailableError(f"{path} cannot be opened for writing: {error.strerror}.") from None
        if path.stat().st_nlink > 1:
            raise JournalError(
                f"{path} has a second name (a hard link), under which another process may write it; remove one."
            )
        connection = sqlite3.connect(path, isolation_level=None)
        with self._closed_on_error(connection):
            if not (new or path.stat().st_size == 0):
                self._version(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone leaves the disk's cache
            add_clock(connection)
            connection.execute("BEGIN IMMEDIATE")
            bring_forward(connection.cursor(), self._version(connection))
            connection.execute("COMMIT")
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise JournalUnavailableError(f"there is no journal {self._path}.")
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        with self._closed_on_error(connection):
            add_clock(connection)
            refuse_older(self._version(connection), str(self._path))
        return connection

    def _version(self, connection: sqlite3.Connection) -> int:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}  # or views
        if tables and "journal" not in tables:
            raise JournalDamagedError(
                f"{self._path} is a database of something else; name another file for the journal."
            )
        return version_of(connection.cursor(), str(self._path), exists=bool(tables))

    @contextmanager
    def _closed_on_error(self, connection: sqlite3.Connection) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, JournalError, ValueError) as error:
            connection.close()
            raise self.explain(error) from None


def add_clock(connection: sqlite3.Connection) -> None:
    """Let statements say ``clock()``."""
    connection.create_function("clock", 0, lambda: time.time())  # noqa: PLW0108 - a test may set it


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
