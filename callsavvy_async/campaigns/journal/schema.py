"""The journal's tables, and what tells a journal from any other database.

A chunk is a small row that moves often; its recipients lie apart, in a payload that never changes. SQLite takes any name
of a type, so that the tables are the same on PostgreSQL. Units of money are texts: exact decimals.
"""

from __future__ import annotations

import secrets

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal.database import Cursor

FORMAT = "callsavvy campaign journal"
VERSION = "1"

TABLES = (
    "CREATE TABLE journal (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE campaign (
        id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        owner TEXT, balance TEXT, balance_at DOUBLE PRECISION, purged BIGINT NOT NULL DEFAULT 0)""",
    """CREATE TABLE load (
        id BIGINT PRIMARY KEY, campaign BIGINT NOT NULL, given BIGINT NOT NULL, digest TEXT,
        doubtful BIGINT NOT NULL DEFAULT 0, first_doubtful BIGINT)""",
    """CREATE TABLE run (
        id BIGINT PRIMARY KEY, campaign BIGINT NOT NULL, began DOUBLE PRECISION NOT NULL,
        heartbeat DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION, worker TEXT NOT NULL DEFAULT '',
        lease DOUBLE PRECISION, reserved BIGINT NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT '{}')""",
    "CREATE INDEX run_by_campaign ON run (campaign)",
    """CREATE TABLE chunk (
        campaign BIGINT NOT NULL, number BIGINT NOT NULL, load BIGINT NOT NULL, state TEXT NOT NULL, run BIGINT,
        zone TEXT NOT NULL, recipients BIGINT NOT NULL, depth BIGINT NOT NULL, estimate TEXT NOT NULL,
        cost TEXT, message_id TEXT, detail TEXT NOT NULL DEFAULT '', PRIMARY KEY (campaign, number))""",
    "CREATE INDEX chunk_by_state ON chunk (campaign, state, zone, number)",
    """CREATE TABLE payload (
        campaign BIGINT NOT NULL, number BIGINT NOT NULL, body BYTEA NOT NULL, text TEXT, checksum TEXT NOT NULL,
        PRIMARY KEY (campaign, number))""",
    """CREATE TABLE skipped (
        campaign BIGINT NOT NULL, load BIGINT NOT NULL, row BIGINT NOT NULL, reason TEXT NOT NULL,
        given TEXT NOT NULL, detail TEXT NOT NULL)""",
    "CREATE INDEX skipped_by_campaign ON skipped (campaign, load, row)",
)
"""Of `run`, ``lease`` is in seconds, NULL where one process has the journal, and ``reserved`` in millionths of a unit."""


def create(cursor: Cursor) -> None:
    """Make the tables of a new journal, in the transaction that is under way."""
    for statement in TABLES:
        cursor.execute(statement)
    facts = (("format", FORMAT), ("version", VERSION), ("id", secrets.token_hex(16)))
    cursor.executemany("INSERT INTO journal (name, value) VALUES (?, ?)", facts)


def check(cursor: Cursor, name: str) -> None:
    """Refuse a database that has a table called `journal` and is no journal of this version.

    Args:
        cursor: of its database.
        name: its name in texts.

    Raises:
        JournalError: it belongs to something else, or to another version.
    """
    facts: dict[str, str] = dict(cursor.execute("SELECT name, value FROM journal").fetchall())
    if facts.get("format") != FORMAT:
        raise JournalError(f"{name} is a database of something else; give the journal one of its own.")
    if facts.get("version") != VERSION:
        raise JournalError(
            f"{name} was written by another version of callsavvy-async; open it with that version, or begin a new journal."
        )


def fact(cursor: Cursor, name: str) -> str | None:
    """Return what the journal says of itself under a name."""
    found = cursor.execute("SELECT value FROM journal WHERE name = ?", (name,)).fetchall()
    return str(found[0][0]) if found else None


def set_fact(cursor: Cursor, name: str, value: str) -> None:
    """Write down what the journal says of itself under a name."""
    query = "INSERT INTO journal (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    cursor.execute(query, (name, value))
