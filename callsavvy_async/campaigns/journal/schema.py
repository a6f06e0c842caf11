"""The journal's tables, and the facts that identify a journal.

A chunk is a small row that changes often. Its recipients are in a separate `payload` row that never changes. SQLite accepts
any type name, so both databases share the definitions. Units of cost are stored as text, as exact decimals.
"""

from __future__ import annotations

import secrets

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import commands, suppression
from callsavvy_async.campaigns.journal.database import Cursor

FORMAT = "callsavvy campaign journal"
VERSION = "4"

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
        lease DOUBLE PRECISION, reserved BIGINT NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT '{}',
        acknowledged BIGINT NOT NULL DEFAULT 0, process TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX run_by_campaign ON run (campaign)",
    """CREATE TABLE chunk (
        campaign BIGINT NOT NULL, number BIGINT NOT NULL, load BIGINT NOT NULL, state TEXT NOT NULL, run BIGINT,
        zone TEXT NOT NULL, recipients BIGINT NOT NULL, depth BIGINT NOT NULL, estimate TEXT NOT NULL,
        cost TEXT, message_id TEXT, detail TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '',
        at DOUBLE PRECISION NOT NULL DEFAULT 0, perhaps DOUBLE PRECISION NOT NULL DEFAULT 0,
        PRIMARY KEY (campaign, number))""",
    "CREATE INDEX chunk_by_state ON chunk (campaign, state, zone, number)",
    """CREATE TABLE payload (
        campaign BIGINT NOT NULL, number BIGINT NOT NULL, body BYTEA NOT NULL, text TEXT, checksum TEXT NOT NULL,
        PRIMARY KEY (campaign, number))""",
    """CREATE TABLE skipped (
        campaign BIGINT NOT NULL, load BIGINT NOT NULL, row BIGINT NOT NULL, reason TEXT NOT NULL,
        given TEXT NOT NULL, detail TEXT NOT NULL)""",
    """CREATE TABLE reached (
        number BIGINT NOT NULL, channel TEXT NOT NULL, campaign BIGINT NOT NULL, chunk BIGINT NOT NULL,
        PRIMARY KEY (number, campaign))""",
    """CREATE TABLE keyed (
        account TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, resource TEXT NOT NULL, token BIGINT NOT NULL,
        session BIGINT NOT NULL, began DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL,
        outcome TEXT, status BIGINT, body BYTEA, detail TEXT NOT NULL DEFAULT '', PRIMARY KEY (account, name))""",
    "CREATE INDEX keyed_by_expiry ON keyed (expires)",
    """CREATE TABLE inbox (
        name TEXT PRIMARY KEY, body BYTEA NOT NULL, kind TEXT, received DOUBLE PRECISION NOT NULL,
        due DOUBLE PRECISION NOT NULL, attempts BIGINT NOT NULL DEFAULT 0, session BIGINT, state TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX inbox_by_state ON inbox (state, due)",
    "CREATE INDEX skipped_by_campaign ON skipped (campaign, load, row)",
)
"""In `chunk`, ``request_id`` belongs to the last request of the chunk; empty if none was about to leave. ``at`` is when the
chunk last went in flight, in seconds since 1970, and ``perhaps`` when it did so with an unknown outcome before a resend. For
`reached` see `frequency.py`.

In `keyed`, ``token`` is the identifier of the request as a number, and ``outcome`` is NULL while it is in flight.

In `run`, ``lease`` is in seconds (NULL in SQLite), ``reserved`` in millionths of a unit, ``acknowledged`` the number of
the last command that it obeys, and ``process`` its process; see `processes.py`."""


CONTROL_TABLES = (*commands.TABLES, *suppression.TABLES)
"""Tables that processes may write while another one sends. SQLite keeps them in a file of their own."""


def create(cursor: Cursor) -> None:
    """Create the tables of a new journal, in the current transaction."""
    for statement in TABLES:
        cursor.execute(statement)
    facts = (("format", FORMAT), ("version", VERSION), ("id", secrets.token_hex(16)))
    cursor.executemany("INSERT INTO journal (name, value) VALUES (?, ?)", facts)


def check(cursor: Cursor, name: str) -> None:
    """Check that a database with a table `journal` is a journal of this version.

    Args:
        cursor: cursor of the database.
        name: name of the database in errors.

    Raises:
        JournalError: the database belongs to another application or version.
    """
    facts: dict[str, str] = dict(cursor.execute("SELECT name, value FROM journal").fetchall())
    if facts.get("format") != FORMAT:
        raise JournalError(f"{name} is a database of another application; name another one for the journal.")
    if facts.get("version") != VERSION:
        raise JournalError(
            f"{name} was written by another version of callsavvy-async; open it with that version, or create a new journal."
        )


def fact(cursor: Cursor, name: str) -> str | None:
    """Return a named fact about the journal, or None."""
    found = cursor.execute("SELECT value FROM journal WHERE name = ?", (name,)).fetchall()
    return str(found[0][0]) if found else None


def set_fact(cursor: Cursor, name: str, value: str) -> None:
    """Store a named fact about the journal."""
    query = "INSERT INTO journal (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    cursor.execute(query, (name, value))
