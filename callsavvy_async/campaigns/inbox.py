"""The inbox of webhooks in a journal: an event is a row from before its acknowledgement until it was handled.

A row that a process handles belongs to its session, as a key under way does (`journal/keyed.py`), so others take the rows of
a dead process at once. An event that fails again and again, or whose process dies each time, becomes a dead letter.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import TypeVar

import attrs

from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Work, Writer
from callsavvy_async.webhooks.inbox import StoredEvent

T = TypeVar("T")

MOST_ATTEMPTS = 5
"""Attempts after which an event is a dead letter."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds from a failure to the next attempt; the pause doubles."""
_PROCESS_DIED = "each process that handled it died"

_INSERT = """INSERT INTO inbox (name, body, kind, received, due, state)
    SELECT name, body, kind, clock(), clock(), 'pending' FROM (SELECT CAST(? AS TEXT) AS name,
        CAST(? AS TEXT) AS previous, CAST(? AS DOUBLE PRECISION) AS seconds, CAST(? AS BLOB) AS body,
        CAST(? AS TEXT) AS kind) AS given
    WHERE NOT EXISTS (SELECT 1 FROM inbox AS earlier WHERE earlier.name = previous
        AND earlier.received > clock() - seconds)
    ON CONFLICT (name) DO NOTHING RETURNING name"""
_TAKE = """WITH free AS MATERIALIZED (
        SELECT name FROM inbox WHERE state = 'pending' AND due <= clock()
        AND (session IS NULL OR session <> ? /*! AND pg_try_advisory_xact_lock_shared(session) */)
        ORDER BY due LIMIT ? /*! FOR UPDATE SKIP LOCKED */)
    UPDATE inbox SET session = ?, attempts = attempts + 1 WHERE name IN (SELECT name FROM free)
    RETURNING due, name, body, kind, attempts"""
_HANDLED = """UPDATE inbox SET state = 'handled', session = NULL, body = '' WHERE name IN (
    SELECT its_name FROM (SELECT CAST(? AS TEXT) AS its_name) AS given) RETURNING name"""
_FAILED = "UPDATE inbox SET state = ?, session = NULL, detail = ?, due = clock() + ? WHERE name = ?"
_RELEASE = "UPDATE inbox SET session = NULL, attempts = attempts - 1 WHERE name = ?"
_FORGET = "DELETE FROM inbox WHERE state = 'handled' AND received < clock() - ?"
_DEAD = "SELECT name, received, detail FROM inbox WHERE state = 'dead' ORDER BY received, name"
_REPLAY = "UPDATE inbox SET state = 'pending', attempts = 0, detail = '', due = clock() WHERE state = 'dead'"


@attrs.frozen
class DeadLetter:
    """An event whose handling failed too often."""

    key: str
    """Key of the event, as its handler gets it."""
    received: float
    """Seconds since 1970."""
    detail: str
    """Type and place of the last failure."""


class JournalInbox:
    """The events in an open journal, as ``journal.inbox``. `Webhooks` uses it; a person replays dead letters."""

    def __init__(self, writer: Writer, *, patience: float) -> None:
        self._writer = writer
        self._patience = patience

    # --------------------------------------------------------------------------------------------------- for people

    async def dead(self) -> tuple[DeadLetter, ...]:
        """Return the events whose handling failed too often, the oldest first."""
        rows = await self._writer.run(lambda cursor: cursor.execute(_DEAD).fetchall())
        return tuple(DeadLetter(*row) for row in rows)

    async def replay(self, key: str | None = None) -> int:
        """Handle dead letters once more. Return their number.

        Args:
            key: key of one event; by default all.
        """

        def replay(cursor: Cursor) -> int:
            statement, values = (_REPLAY, ()) if key is None else (f"{_REPLAY} AND name = ?", (key,))
            return cursor.execute(statement, values).rowcount

        return await self._writer.run(replay)

    # -------------------------------------------------------------------------------------------------- for `Webhooks`

    async def add(self, body: bytes, content_type: str | None, window: float | None) -> bool:
        """Store an event durably. Return False if the same body came within the window of seconds.

        Raises:
            JournalError: the event may not be stored; do not acknowledge it.
        """
        row = (*_names(body, window), window or 0.0, body, content_type)
        return await self._writer.run_combined(self._add, row)

    async def take(self, most: int) -> list[StoredEvent]:
        """Take events that are due, the oldest first."""

        def take(cursor: Cursor) -> list[StoredEvent]:
            session = self._writer.database.session
            rows = sorted(cursor.execute(_TAKE, (session, most, session)).fetchall())
            found = [StoredEvent(name, bytes(body), kind, attempts) for _, name, body, kind, attempts in rows]
            for event in found:
                if event.attempts > MOST_ATTEMPTS:
                    cursor.execute(_FAILED, ("dead", _PROCESS_DIED, 0.0, event.key))
            return [event for event in found if event.attempts <= MOST_ATTEMPTS]

        return await self._write(take)

    async def handled(self, event: StoredEvent) -> None:
        """Record that an event was handled, and forget its body."""
        retrying = RetryingWriter(self._writer, self._patience)
        await retrying.retry(lambda: self._writer.run_combined(self._handled, event.key, shield=True))

    async def failed(self, event: StoredEvent, detail: str) -> bool:
        """Record a failure. Return True if the event is a dead letter now."""
        is_dead = event.attempts >= MOST_ATTEMPTS
        pause = min(_FIRST_PAUSE * 2 ** (event.attempts - 1), _LONGEST_PAUSE)
        values = ("dead" if is_dead else "pending", detail, pause, event.key)
        await self._write(lambda cursor: cursor.execute(_FAILED, values))
        return is_dead

    async def release(self, event: StoredEvent) -> None:
        """Give an event back that was not handled to its end."""
        await self._write(lambda cursor: cursor.execute(_RELEASE, (event.key,)))

    async def forget(self, window: float | None) -> None:
        """Delete what was handled, and is too old to be the first of a duplicate."""
        await self._write(lambda cursor: cursor.execute(_FORGET, (window or 0.0,)))

    # ------------------------------------------------------------------------------------ in the thread of the journal

    def _add(self, cursor: Cursor, rows: Sequence[tuple[object, ...]]) -> list[bool]:
        # In the order of their names, so that no two processes wait for each other's rows.
        first = {row[0]: number for number, row in reversed([*enumerate(rows)])}
        in_order = sorted((rows[number] for number in first.values()), key=lambda row: str(row[0]))
        added = {name for (name,) in self._writer.database.for_each(cursor, _INSERT, in_order)}
        return [row[0] in added and first[row[0]] == number for number, row in enumerate(rows)]

    def _handled(self, cursor: Cursor, names: Sequence[str]) -> list[None]:
        self._writer.database.for_each(cursor, _HANDLED, [(name,) for name in names])
        return [None] * len(names)

    async def _write(self, work: Work[T]) -> T:
        return await RetryingWriter(self._writer, self._patience).write(work)


def _names(body: bytes, window: float | None) -> tuple[str, str]:
    """Return the name of an event, and the one that the same body would have had in the window before.

    Without a window the name is random. With one it is the same in all processes, so that one row is made.
    """
    if window is None:
        return f"webhook-{secrets.token_hex(16)}", ""
    digest, number = hashlib.blake2b(body, digest_size=16).hexdigest(), int(time.time() // window)
    return f"webhook-{digest}-{number}", f"webhook-{digest}-{number - 1}"
