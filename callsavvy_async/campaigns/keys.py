"""The keys of single requests: what the client asks of a journal, and what a person does with unknown outcomes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import keyed
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.keyed import Row
from callsavvy_async.campaigns.journal.owner import Owner
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Combined, Writer
from callsavvy_async.config import Destination
from callsavvy_async.errors import InvalidRequestError, Outcome
from callsavvy_async.redaction import redact
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.keyed import Found, Intent, request_id_of
from callsavvy_async.wire.response import HttpResponse

T = TypeVar("T")

_log = logging.getLogger("callsavvy_async")
_DEPARTURES_PER_EXPIRY = 500
"""Requests after which expired keys are deleted, at most 1,000 at a time."""


@attrs.frozen
class UnknownKey:
    """A key whose request may have been performed and charged.

    Attributes:
        key: the key, for `Keys.resolve`.
        account: the account and server, without keys; or the simulator.
        resource: resource of the API, such as ``"sendSMS"``.
        began: when the request was about to leave, in UTC.
        detail: reason why the outcome is unknown.
        request_id: identifier of the request, as in events, logs and spans.
    """

    key: str
    account: str
    resource: str
    began: datetime
    detail: str
    request_id: str


@private_arguments
class Keys:
    """The keys in an open journal, as ``journal.keys`` or ``await callsavvy.keys()``.

    Sending with ``key=`` uses them. A person resolves unknown outcomes with `unknown` and `resolve`.
    """

    def __init__(self, writer: Writer, *, patience: float, keep: timedelta, simulated: bool) -> None:
        self.writer: Writer = writer
        """Writer of the journal, for the outbox beside the keys."""
        self._patience = patience
        self._keep = keep.total_seconds()
        self._simulated = simulated
        self._own: set[int] = set()
        """Tokens of the rows under way that this process created, perhaps in a session that was lost since."""
        self._departures = 0
        self._trusted_session: int | None = None

    # --------------------------------------------------------------------------------------------------- for people

    async def unknown(self) -> tuple[UnknownKey, ...]:
        """Return the keys whose outcome is unknown, the oldest first."""
        rows = await self.writer.run(lambda cursor: keyed.unknown(cursor, self._session))
        return tuple(
            UnknownKey(name, account, resource, datetime.fromtimestamp(began, UTC), detail, request_id_of(token))
            for account, name, resource, began, detail, token in rows
        )

    async def resolve(self, key: str, *, as_sent: bool, account: str | None = None) -> None:
        """Declare the unknown request of a key performed or not performed.

        Afterwards the key returns an empty receipt if it was, and the next request with it is sent if it was not.

        Args:
            key: the key.
            as_sent: True if the request was performed.
            account: the account, as `unknown` shows it, if several accounts have an unknown request with this key.

        Raises:
            InvalidRequestError: the outcome of the key is not unknown, or several accounts have it.
        """

        def settle(cursor: Cursor) -> None:
            keyed.lock_dead(cursor, self._session)
            names = {
                row[0] for row in keyed.unknown(cursor, self._session) if row[1] == key and account in {None, row[0]}
            }
            if len(names) != 1:
                why = (
                    f"is unknown in several accounts ({', '.join(sorted(names))}); give account="
                    if names
                    else "is not unknown"
                )
                raise InvalidRequestError(f"the key {redact(key)!r} {why}.")
            keyed.resolve(cursor, names.pop(), key, as_sent=as_sent)

        await self.writer.run(settle)

    async def trust_copy(self) -> None:
        """Allow new keys in a journal that was restored from an older copy, or that moved to another server.

        Such a journal may lack keys that were used since the copy was made. If the request of such a key is made again, it is
        sent again. Call this after you have checked that nothing was sent since, or that its keys will not come again.
        """
        await self.writer.run(keyed.trust_copy)

    # -------------------------------------------------------------------------------------------------- for requests

    async def look(self, intent: Intent) -> Found | None:
        """Return the row of a key; None if it has none, or has expired."""
        return await self._retry(self._look, self._row(intent))

    async def depart(self, intent: Intent) -> bool:
        """Create the row, durably. Return False if the key has one."""
        row = self._row(intent)
        self._own.add(row.token)
        try:
            created = await self._retry(self._depart, row)
        except BaseException:
            self._own.discard(row.token)
            self.writer.defer(lambda cursor: keyed.free(cursor, row))  # a COMMIT may have succeeded unnoticed
            raise
        if not created:
            self._own.discard(row.token)
        return created

    async def settle(
        self, intent: Intent, outcome: Outcome, response: HttpResponse | None = None, detail: str = ""
    ) -> None:
        """Record an outcome. If the journal is unavailable, the next transaction records it.

        Args:
            intent: the intent.
            outcome: outcome of its request.
            response: response of an ACCEPTED request.
            detail: reason why the outcome is UNKNOWN.
        """
        row = self._row(intent)
        accepted = None if response is None else (row, response.status_code, response.body)
        try:
            if accepted is not None:
                await self.writer.run_combined(self._accept, accepted, shield=True)
            else:
                with anyio.CancelScope(shield=True):
                    await self.writer.run(partial(_settle, row, outcome, detail))
        except JournalError as error:
            self.writer.defer(
                partial(_settle, row, outcome, detail)
                if accepted is None
                else lambda cursor: self._accept(cursor, [accepted])
            )
            _log.warning(
                "the outcome of a keyed %s is not in the journal yet: %s",
                intent.resource,
                error,
                extra={"request_id": intent.request_id},
            )
        finally:
            self._own.discard(row.token)

    # ------------------------------------------------------------------------------------ in the thread of the journal

    def _look(self, cursor: Cursor, rows: Sequence[Row]) -> list[Found | None]:
        return keyed.look(self.writer.database, cursor, rows, self._own)

    def _depart(self, cursor: Cursor, rows: Sequence[Row]) -> list[bool]:
        session = self._session
        if self._trusted_session != session:
            keyed.refuse_if_missing(cursor)
            self._trusted_session = session
        self._departures += len(rows)
        if self._departures >= _DEPARTURES_PER_EXPIRY:
            self._departures = 0
            keyed.expire(cursor)
        return keyed.depart(self.writer.database, cursor, rows)

    def _accept(self, cursor: Cursor, responses: Sequence[tuple[Row, int, bytes]]) -> list[None]:
        return keyed.accept(self.writer.database, cursor, responses)

    # --------------------------------------------------------------------------------------------------------- helpers

    def _row(self, intent: Intent) -> Row:
        account = _owner(intent.destination, simulated=self._simulated)
        return Row(account, intent.key, intent.digest, intent.resource, intent.token, self._keep)

    @property
    def _session(self) -> int:
        return self.writer.database.session

    async def _retry(self, work: Combined[Row, T], row: Row) -> T:
        """Run a transaction that detects its own repetition, and retry it during an outage of the journal.

        Each attempt runs to its end, so that a cancelled caller knows whether it has a row.
        """
        return await RetryingWriter(self.writer, self._patience).retry(
            lambda: self.writer.run_combined(work, row, shield=True)
        )


@lru_cache
def _owner(destination: Destination, *, simulated: bool) -> str:
    return str(Owner.of(destination, simulated=simulated))


def _settle(row: Row, outcome: Outcome, detail: str, cursor: Cursor) -> None:
    if outcome is Outcome.UNKNOWN:
        keyed.lock(cursor, row, detail)
    else:
        keyed.free(cursor, row)
