"""The control file of a SQLite journal: the commands that other processes give while one process sends.

Theory:

1. One process holds the journal's lock and writes it (`lock.py`). Others write this second database beside it, named
   ``<journal>.control``. It has a rollback journal instead of a write-ahead log, so any number of processes may write it,
   with any version of SQLite.
2. The journal's connection attaches it, so that one transaction reads both. Such a transaction holds a shared lock on this
   file until its end, and a command is committed only while nobody holds one. So each transaction is entirely before a
   command or entirely after it.
3. The file names its journal. Commands of another journal, which had the same name, are deleted. Its
   suppressed numbers stay.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.lock import make_private, unusable
from callsavvy_async.campaigns.journal.schema import CONTROL_TABLES

T = TypeVar("T")

_ORIGIN = "CREATE TABLE IF NOT EXISTS origin (journal TEXT NOT NULL)"


def control_file(journal: Path) -> Path:
    """Return the path of a journal's control file."""
    return journal.with_name(f"{journal.name}.control")


def attach(connection: sqlite3.Connection, journal: Path, journal_id: str) -> None:
    """Attach the control file to the connection that writes the journal, and create it if it does not exist."""
    write(journal, journal_id, lambda _: None)
    connection.execute("ATTACH DATABASE ? AS control", (str(control_file(journal)),))
    connection.execute("PRAGMA control.synchronous = FULL")


def attach_read_only(connection: sqlite3.Connection, journal: Path, journal_id: str) -> None:
    """Attach the control file to a connection that only reads. Without one for this journal, attach empty tables."""
    if _origin(journal) == journal_id:
        connection.execute("ATTACH DATABASE ? AS control", (_read_only(journal),))
        return
    connection.execute("ATTACH DATABASE ':memory:' AS control")
    for statement in CONTROL_TABLES:
        connection.execute(statement.replace("EXISTS ", "EXISTS control.", 1))


def write(journal: Path, journal_id: str, work: Callable[[Cursor], T]) -> T:
    """Run a unit of work on the control file, in a transaction and on a connection that serve only it.

    Raises:
        JournalError: the file cannot be opened.
    """
    path = control_file(journal)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise unusable(path, error) from None
    make_private(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, closing(connection.cursor()) as cursor:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        add_clock(connection)
        cursor.execute("BEGIN IMMEDIATE")  # closing the connection without COMMIT rolls back
        _prepare(cursor, journal_id)
        result = work(cursor)
        cursor.execute("COMMIT")
    return result


def add_clock(connection: sqlite3.Connection) -> None:
    """Define the SQL function ``clock()``."""
    connection.create_function("clock", 0, lambda: time.time())  # noqa: PLW0108 - a test may replace time.time


def _prepare(cursor: sqlite3.Cursor, journal_id: str) -> None:
    for statement in (*CONTROL_TABLES, _ORIGIN):
        cursor.execute(statement)
    if cursor.execute("SELECT journal FROM origin").fetchall() != [(journal_id,)]:
        cursor.execute("DELETE FROM command")
        cursor.execute("DELETE FROM origin")
        cursor.execute("INSERT INTO origin (journal) VALUES (?)", (journal_id,))


def _origin(journal: Path) -> str | None:
    """Return the id of the journal to which the control file belongs; None without a file."""
    if not control_file(journal).exists():
        return None
    with closing(sqlite3.connect(_read_only(journal), uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'origin'").fetchall()
        found = connection.execute("SELECT journal FROM origin").fetchall() if tables else []
    return str(found[0][0]) if found else None


def _read_only(journal: Path) -> str:
    return f"{control_file(journal).as_uri()}?mode=ro"
