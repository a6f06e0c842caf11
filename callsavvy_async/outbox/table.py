"""The outbox's table from the side of the workers: take rows, and record what became of them.

A row that a worker takes belongs to the session of its journal, as a key that is under way does (`journal/keyed.py`). Other
workers notice at once when the session ends with its process, and take the row. Whether its request has left by then is
recorded under its key, so no worker needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import attrs

from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Combined, Work, Writer
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.redaction import mask_text

T = TypeVar("T")
Item = TypeVar("Item")

PENDING, FAILED, UNKNOWN = "pending", "failed", "unknown"

# A file has one worker, because its journal has one writer: a row of another session belongs to a dead one.
_TAKE = """WITH free AS MATERIALIZED (
        SELECT id FROM callsavvy_outbox AS found WHERE state = 'pending'
        AND (session IS NULL OR session <> ? /*! AND pg_try_advisory_xact_lock_shared(session) */)
        AND NOT EXISTS (SELECT 1 FROM callsavvy_outbox AS earlier WHERE earlier.recipient = found.recipient
            AND earlier.id < found.id AND earlier.state = 'pending')
        ORDER BY id LIMIT ? /*! FOR UPDATE SKIP LOCKED */)
    UPDATE callsavvy_outbox SET session = ? WHERE id IN (SELECT id FROM free) RETURNING id, key, recipient, message"""
_DELETE = """DELETE FROM callsavvy_outbox WHERE id IN (
    SELECT its_id FROM (SELECT CAST(? AS BIGINT) AS its_id) AS given) RETURNING id"""
_SETTLE = """UPDATE callsavvy_outbox SET state = its_state, detail = its_detail, session = NULL FROM (SELECT
        CAST(? AS BIGINT) AS its_id, CAST(? AS TEXT) AS its_state, CAST(? AS TEXT) AS its_detail) AS given
    WHERE id = its_id RETURNING id"""
_REOPEN = "UPDATE callsavvy_outbox SET state = 'pending', detail = '', session = NULL WHERE state = ?"
_FAILED = "SELECT id, key, detail FROM callsavvy_outbox WHERE state = 'failed' ORDER BY id"
_COUNT = "SELECT state, count(*) FROM callsavvy_outbox GROUP BY state"


@attrs.frozen
class OutboxRow:
    """A message in the outbox."""

    id: int
    key: str
    recipient: str = attrs.field(repr=mask_text)
    message: str = attrs.field(repr=mask_text)
    """JSON of a `Message`."""


@attrs.frozen
class FailedRow:
    """A message that was not sent and will not be, unless a person changes its row or opens it again."""

    key: str
    """Key of the send."""
    detail: str
    """Reason."""


class OutboxTable:
    """The rows of an outbox.

    Args:
        writer: writer of the database with the table.
        patience: seconds for which each write is retried while the database is unavailable.
    """

    def __init__(self, writer: Writer, patience: float) -> None:
        self._writer = writer
        self._patience = patience

    async def take(self, most: int) -> list[OutboxRow]:
        """Take free rows, in their order. A row waits for the earlier ones of its recipient."""

        def take(cursor: Cursor) -> list[OutboxRow]:
            session = self._writer.database.session
            found = cursor.execute(_TAKE, (session, most, session)).fetchall()
            return [OutboxRow(*columns) for columns in sorted(found)]

        return await self._write(take)

    async def delete(self, row: OutboxRow) -> None:
        """Delete a row whose request was accepted."""
        await self._combined(self._delete, row.id)

    async def settle(self, row: OutboxRow, state: str, detail: str = "") -> None:
        """Record a failure or an unknown outcome, or give the row back as pending."""
        await self._combined(self._settle, (row.id, state, detail))

    async def reopen(self, state: str) -> int:
        """Make the rows of a state pending. Return their number."""

        def reopen(cursor: Cursor) -> int:
            cursor.execute(_REOPEN, (state,))
            return cursor.rowcount

        return await self._write(reopen)

    async def failed(self) -> tuple[FailedRow, ...]:
        """Return the messages that failed, the oldest first."""
        rows = await self._write(lambda cursor: cursor.execute(_FAILED).fetchall())
        return tuple(FailedRow(key, detail) for _, key, detail in rows)

    async def count(self) -> dict[str, int]:
        """Return the number of rows in each state.

        Raises:
            ConfigurationError: the table `callsavvy_outbox` does not exist.
        """
        try:
            return dict(await self._write(lambda cursor: cursor.execute(_COUNT).fetchall()))
        except JournalDamagedError:
            raise ConfigurationError(
                f"{self._writer.database.name} has no table callsavvy_outbox; create it with the SQL of"
                " 'callsavvy outbox sql'."
            ) from None

    # ------------------------------------------------------------------------------------ in the thread of the writer

    def _delete(self, cursor: Cursor, ids: Sequence[int]) -> list[None]:
        self._writer.database.for_each(cursor, _DELETE, [(number,) for number in ids])
        return [None] * len(ids)

    def _settle(self, cursor: Cursor, outcomes: Sequence[tuple[int, str, str]]) -> list[None]:
        self._writer.database.for_each(cursor, _SETTLE, outcomes)
        return [None] * len(outcomes)

    # --------------------------------------------------------------------------------------------------------- helpers

    async def _write(self, work: Work[T]) -> T:
        return await RetryingWriter(self._writer, self._patience).write(work)

    async def _combined(self, work: Combined[Item, None], item: Item) -> None:
        """Record an outcome even if the caller is cancelled."""
        retrying = RetryingWriter(self._writer, self._patience)
        await retrying.retry(lambda: self._writer.run_combined(work, item, shield=True))
