"""The keys of single requests in a journal: their table and their units of work.

Theory: several processes create rows in long transactions, in any order, so a process must never wait for the row of
another one, or two of them could wait for each other. A row is created only under a lock on its key that is tried, not
awaited. A caller who does not get the lock looks again later.

A row under way belongs to a session of the database. In PostgreSQL a session holds a lock while it lives, which ends with
its process, so others notice its death at once. A file has one session, and the next one finds only dead rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import schema
from callsavvy_async.campaigns.journal.copies import KEYS_MISSING
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from callsavvy_async.errors import Outcome
from callsavvy_async.transport.keyed import Found

_IS_DEAD = "outcome IS NULL AND session <> ? AND 0 /*! = 0 AND pg_try_advisory_xact_lock_shared(session) AND 1 */ = 1"
"""In a file every row under way belongs to this process, because `lock_all` ran when it opened."""
_LOOK = f"""SELECT its_token, digest, outcome, detail, status, body, token, expires < clock(),
        CASE WHEN {_IS_DEAD.replace("?", "own")} THEN 1 ELSE 0 END
    FROM (SELECT CAST(? AS BIGINT) AS its_token, CAST(? AS BIGINT) AS own, CAST(? AS TEXT) AS owner,
        CAST(? AS TEXT) AS wanted) AS given, keyed WHERE account = owner AND name = wanted"""
_INSERT = """INSERT INTO keyed (account, name, digest, resource, token, session, began, expires)
    SELECT account, name, digest, resource, token, session, clock(), clock() + keep FROM (SELECT
        CAST(? AS TEXT) AS account, CAST(? AS TEXT) AS name, CAST(? AS TEXT) AS digest,
        CAST(? AS TEXT) AS resource, CAST(? AS BIGINT) AS token, CAST(? AS BIGINT) AS session,
        CAST(? AS DOUBLE PRECISION) AS keep) AS given
    WHERE 1 = 1 /*! AND pg_try_advisory_xact_lock(hashtextextended(account || ' ' || name, 0)) */
    ON CONFLICT (account, name) DO NOTHING RETURNING token"""
_OTHER = "SELECT token FROM keyed WHERE account = ? AND name = ?"
_ACCEPT = """UPDATE keyed SET outcome = 'accepted', status = its_status, body = its_body, detail = ''
    FROM (SELECT CAST(? AS BIGINT) AS its_status, CAST(? AS BLOB) AS its_body, CAST(? AS TEXT) AS owner,
        CAST(? AS TEXT) AS wanted, CAST(? AS BIGINT) AS its_token) AS given
    WHERE account = owner AND name = wanted AND token = its_token RETURNING token"""
_LOCK = """UPDATE keyed SET outcome = 'unknown', detail = ?
    WHERE account = ? AND name = ? AND token = ? AND outcome IS NULL"""
_LOCK_ALL = "UPDATE keyed SET outcome = 'unknown', detail = ? WHERE outcome IS NULL"
_LOCK_DEAD = f"UPDATE keyed SET outcome = 'unknown', detail = ? WHERE {_IS_DEAD}"
_FREE = """DELETE FROM keyed WHERE account = ? AND name = ? AND token = ?
    AND coalesce(outcome, 'unknown') = 'unknown'"""
_EXPIRE_ONE = "DELETE FROM keyed WHERE account = ? AND name = ? AND outcome = 'accepted' AND expires < clock()"
_EXPIRE = """DELETE FROM keyed WHERE outcome = 'accepted' AND (account, name) IN (
    SELECT account, name FROM keyed WHERE outcome = 'accepted' AND expires < clock() LIMIT 1000
    /*! FOR UPDATE SKIP LOCKED */)"""
_UNKNOWN = f"""SELECT account, name, resource, began, detail, token FROM keyed
    WHERE outcome = 'unknown' OR ({_IS_DEAD}) ORDER BY began, account, name"""
_RESOLVE_AS_SENT = """UPDATE keyed SET outcome = 'accepted', detail = 'a person said that it was sent'
    WHERE account = ? AND name = ? AND outcome = 'unknown'"""
_RESOLVE_AS_NOT_SENT = "DELETE FROM keyed WHERE account = ? AND name = ? AND outcome = 'unknown'"


@attrs.frozen
class Row:
    """A row that a request creates, or looks for."""

    account: str
    """The owner of the key; accounts do not share keys."""
    name: str
    digest: str
    resource: str
    token: int
    keep: float
    """Seconds until it expires."""


def look(database: Database, cursor: Cursor, rows: Sequence[Row], own: Collection[int]) -> list[Found | None]:
    """Return the row of each key. Delete it if it has expired, and make it unknown if its process died.

    Args:
        database: database of the journal.
        cursor: cursor of the journal.
        rows: the keys; digest, resource and expiry do not count.
        own: tokens of this process's rows under way, some perhaps from a session before.
    """
    values = [(row.token, database.session, row.account, row.name) for row in rows]
    found = {token: columns for token, *columns in database.for_each(cursor, _LOOK, values)}
    return [_judge(cursor, row, own, found[row.token]) if row.token in found else None for row in rows]


def _judge(cursor: Cursor, row: Row, own: Collection[int], found: Sequence[Any]) -> Found | None:
    digest, outcome, detail, status, body, token, expired, is_dead = found
    if outcome == Outcome.ACCEPTED.value and expired:
        cursor.execute(_EXPIRE_ONE, (row.account, row.name))
        return None
    if is_dead and token not in own:
        cursor.execute(_LOCK, (PROCESS_DIED, row.account, row.name, token))
        outcome, detail = Outcome.UNKNOWN.value, PROCESS_DIED
    known = None if outcome is None else Outcome(outcome)
    return Found(digest, known, detail, (status or 200, b"" if body is None else bytes(body)))


def refuse_if_missing(cursor: Cursor) -> None:
    """Refuse new keys in an older copy of the journal.

    Raises:
        JournalError: keys that were used since the copy was made may be missing.
    """
    if schema.fact(cursor, KEYS_MISSING) is not None:
        raise JournalError(
            "the journal is an older copy, or moved to another server, and may lack keys used since, so nothing is sent"
            " under a new key; check what was sent, then run 'callsavvy keys trust' or Keys.trust_copy."
        )


def depart(database: Database, cursor: Cursor, rows: Sequence[Row]) -> list[bool]:
    """Create rows. False for a key that has another one; an unconfirmed transaction may have created this one."""
    created = _insert(database, cursor, rows)
    return [row.token in created or _is_there(cursor, row) for row in rows]


def _insert(database: Database, cursor: Cursor, rows: Sequence[Row]) -> set[int]:
    """Insert the rows whose keys are free, and return their tokens."""
    session = database.session
    values = [(row.account, row.name, row.digest, row.resource, row.token, session, row.keep) for row in rows]
    return {token for (token,) in database.for_each(cursor, _INSERT, values)}


def _is_there(cursor: Cursor, row: Row) -> bool:
    found = cursor.execute(_OTHER, (row.account, row.name)).fetchone()
    return found is not None and found[0] == row.token


def accept(database: Database, cursor: Cursor, responses: Sequence[tuple[Row, int, bytes]]) -> list[None]:
    """Record accepted responses, also over "unknown", and over a person's "not sent" unless the key was used again."""
    values = {row.token: (status, body, row.account, row.name, row.token) for row, status, body in responses}
    updated = {token for (token,) in database.for_each(cursor, _ACCEPT, list(values.values()))}
    if missing := [row for row, _, _ in responses if row.token not in updated]:
        _insert(database, cursor, missing)
        database.for_each(cursor, _ACCEPT, [values[row.token] for row in missing])
    return [None] * len(responses)


def lock(cursor: Cursor, row: Row, detail: str) -> None:
    """Record that the outcome is unknown."""
    cursor.execute(_LOCK, (detail, row.account, row.name, row.token))


def free(cursor: Cursor, row: Row) -> None:
    """Delete the row of a request that did nothing."""
    cursor.execute(_FREE, (row.account, row.name, row.token))


def expire(cursor: Cursor) -> None:
    """Delete some expired rows."""
    cursor.execute(_EXPIRE)


def lock_all(cursor: Cursor) -> None:
    """Make the rows under way unknown: the process that owned this file died."""
    cursor.execute(_LOCK_ALL, (PROCESS_DIED,))


def lock_dead(cursor: Cursor, session: int) -> None:
    """Make the rows of dead processes unknown."""
    cursor.execute(_LOCK_DEAD, (PROCESS_DIED, session))


def unknown(cursor: Cursor, session: int) -> list[tuple[str, str, str, float, str, int]]:
    """Return account, name, resource, start, detail and token of each key whose outcome is unknown, the oldest first."""
    rows = cursor.execute(_UNKNOWN, (session,)).fetchall()
    return [(*row, detail or PROCESS_DIED, token) for *row, detail, token in rows]


def resolve(cursor: Cursor, account: str, name: str, *, as_sent: bool) -> None:
    """Declare an unknown request sent or not sent."""
    cursor.execute(_RESOLVE_AS_SENT if as_sent else _RESOLVE_AS_NOT_SENT, (account, name))


def trust_copy(cursor: Cursor) -> None:
    """Forget that the journal is an older copy."""
    cursor.execute("DELETE FROM journal WHERE name = ?", (KEYS_MISSING,))
