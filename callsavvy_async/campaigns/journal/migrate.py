"""Bringing a journal to the current version, whatever database it lies in."""

from __future__ import annotations

from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError
from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.database import Cursor


def version_of(cursor: Cursor, name: str, *, exists: bool) -> int:
    """Return the version of a journal; 0 when there is none yet.

    Args:
        cursor: of its database.
        name: what it is called in texts.
        exists: whether there is a table that is called as ours.

    Raises:
        JournalError: it is somebody else's, or of a later version.
    """
    facts: dict[str, str] = dict(cursor.execute("SELECT name, value FROM journal").fetchall()) if exists else {}
    if exists and facts.get("format") != sql.FORMAT:
        raise JournalDamagedError(f"{name} is a database of something else; give the journal one of its own.")
    version = int(facts.get("version", "0"))
    if version > sql.VERSION:
        raise JournalError(f"{name} was written by a later version of callsavvy-async; update it.")
    return version


def refuse_older(version: int, name: str) -> None:
    """Refuse to read a journal that has to be brought forward first.

    Raises:
        JournalError: it has to be.
    """
    if version != sql.VERSION:
        raise JournalError(f"{name} is of an older version; open it for writing once, which brings it up to date.")


def bring_forward(cursor: Cursor, version: int) -> None:
    """Run every migration that is missing, in order, in the transaction that is under way."""
    for missing in range(version, sql.VERSION):
        for statement in sql.MIGRATIONS[missing]:
            cursor.execute(statement)
        cursor.execute("UPDATE journal SET value = ? WHERE name = 'version'", (str(missing + 1),))
