"""Opening a journal's SQLite file: durable, private, checked, and brought to the current version."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from callsavvy_async.campaigns import sql
from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError, JournalUnavailableError
from callsavvy_async.errors import CallsavvyError, ConfigurationError

_SCHEME = "sqlite:///"
_UNREADABLE = "Could not decode"
"""How the error begins that sqlite3 raises for a text that is none; the rest of it is the text."""


def path_of(url: str) -> Path:
    """Return the file that a URL names: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Raises:
        ConfigurationError: another scheme.
    """
    if not url.startswith(_SCHEME) or len(url) == len(_SCHEME):
        raise ConfigurationError(
            f"{url.partition('://')[0]!r} is no journal that can be opened; write sqlite:///file.db, with a fourth slash"
            " for an absolute path."
        )
    return Path(url.removeprefix(_SCHEME)).resolve()  # or a link's lock would be another


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal for writing, making it if there is none.

    Raises:
        JournalError: it cannot be opened, or is no journal of ours.
    """
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
    with _closed_on_error(connection, path):
        empty = new or path.stat().st_size == 0
        if not empty:
            _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone leaves the disk's cache
        _migrate(connection, path)
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a journal for reading, also while another process writes it: a reader never checkpoints.

    Raises:
        JournalError: there is none, or it is no journal of ours.
    """
    if not path.exists():
        raise JournalUnavailableError(f"there is no journal {path}.")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with _closed_on_error(connection, path):
        if _check(connection, path) != sql.VERSION:
            raise JournalError(f"{path} is of an older version; open it for writing once, which brings it up to date.")
    return connection


def guard(*paths: Path) -> Callable[[], None]:
    """Return what raises when one of some files that are open now is not there any more under its name."""
    opened = {path: _identity(path) for path in paths}

    def check() -> None:
        for path, identity in opened.items():
            if _identity(path) != identity:
                raise JournalUnavailableError(
                    f"{path} was moved or removed while it was open; nothing is sent without it."
                )

    return check


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def explained(error: BaseException, path: Path) -> BaseException:
    """Return what an error of SQLite, or of reading what it gave, means for the journal; any other is returned as it is."""
    if isinstance(error, CallsavvyError):
        return error
    if isinstance(error, ValueError | ArithmeticError | TypeError) or _UNREADABLE in str(error):
        # no state, number or text of ours; it is not repeated, since it may be what is left of somebody's number
        return JournalDamagedError(f"{path} is damaged: it holds what no journal does. Restore it from a copy.")
    if isinstance(error, sqlite3.OperationalError):
        return JournalUnavailableError(f"{path} cannot be used now: {error}. Nothing is sent without it.")
    if isinstance(error, sqlite3.Error):
        return JournalDamagedError(f"{path} is damaged, or no journal: {error}. Restore it from a copy.")
    return error


@contextmanager
def _closed_on_error(connection: sqlite3.Connection, path: Path) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, JournalError, ValueError) as error:
        connection.close()
        raise explained(error, path) from None


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a journal."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}  # or views, of something else
    facts: dict[str, str] = dict(connection.execute("SELECT name, value FROM journal")) if "journal" in tables else {}
    if tables and facts.get("format") != sql.FORMAT:
        raise JournalDamagedError(f"{path} is a database of something else; name another file for the journal.")
    version = int(facts.get("version", "0"))
    if version > sql.VERSION:
        raise JournalError(f"{path} was written by a later version of callsavvy-async; update it.")
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for version in range(_check(connection, path), sql.VERSION):
        for statement in sql.MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute("UPDATE journal SET value = ? WHERE name = 'version'", (str(version + 1),))
    connection.execute("COMMIT")
