"""`OutboxWorker`: sends what is in the outbox.

Theory: a row becomes a request with ``key=``, so its journal decides whether it is sent. Whatever happens to the row, to a
worker or to both, the next worker may take the row again: if its request was accepted, the recorded receipt deletes the
row; if its outcome is unknown, nothing is sent and the row says so.
"""

from __future__ import annotations

import json
import logging
from typing import Protocol

import anyio
import anyio.to_thread
import attrs

from callsavvy_async.campaigns import client_protocol
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal.postgres import PostgreSQL
from callsavvy_async.campaigns.journal.postgres_listener import Listener
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.keys import Keys
from callsavvy_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RejectedError,
    RequestError,
    ServiceUnavailableError,
)
from callsavvy_async.messages import Message
from callsavvy_async.outbox.migrations import CHANNEL
from callsavvy_async.outbox.table import FAILED, PENDING, UNKNOWN, OutboxRow, OutboxTable
from callsavvy_async.outbox.user_file import UserFile
from callsavvy_async.redaction import redact
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.request_context import RequestContext, tracking
from callsavvy_async.work_loop import WorkLoop

_log = logging.getLogger("callsavvy_async")

_ENDS_WORK = (AuthenticationError, PermissionDeniedError, InsufficientBalanceError)
"""Later messages would meet the same error."""
_TRANSIENT = (NotSentError, RateLimitError, ServiceUnavailableError)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds without new requests after a transient failure; the pause doubles."""
_BETWEEN_CHECKS = 60.0
"""Seconds between two looks at whether unknown outcomes were resolved."""


class JournaledClient(client_protocol.Client, Protocol):
    """A `Callsavvy` client with a journal."""

    async def keys(self) -> Keys:
        """Open the journal, if it is not open, and return its keys."""
        ...


@attrs.define
class OutboxReport:
    """What a worker did."""

    sent: int = 0
    """Messages that the API accepted, or had accepted under their key before."""
    failed: int = 0
    """Messages that the API rejected, or that cannot be sent as they are."""
    unknown: int = 0
    """Messages that were perhaps sent. ``callsavvy keys unknown`` lists them."""


def table_of(keys: Keys, database: str | None, patience: float) -> tuple[OutboxTable, Writer]:
    """Return the outbox of a journal, and the writer of its database.

    Raises:
        ConfigurationError: the database is missing or invalid.
    """
    writer = keys.writer
    if database is not None:
        writer = Writer(UserFile(database))
    elif not isinstance(writer.database, PostgreSQL):
        raise ConfigurationError(
            "the journal is a file, and the outbox is in your own database; name it, as in OutboxWorker(callsavvy,"
            " 'sqlite:///app.db') or --outbox app.db."
        )
    return OutboxTable(writer, patience), writer


@attrs.define(eq=False)
class _Send:
    """A row that this worker has taken, and the context of its request."""

    row: OutboxRow
    context: RequestContext = attrs.field(factory=lambda: RequestContext(shield=True))


class OutboxWorker:
    """Sends the messages of an outbox: ``await OutboxWorker(callsavvy).work()``.

    Any number of processes send the outbox of a PostgreSQL database together, and one process that of a SQLite file.

    Args:
        callsavvy: an open client with ``journal=``. In PostgreSQL, the journal is in the database of the outbox.
        database: ``sqlite:///app.db``, your own file with the outbox. Leave it out in PostgreSQL.
        forever: wait for new messages until `stop`; otherwise end when the outbox is empty.
        poll: seconds between two looks at the outbox. In PostgreSQL a notification comes earlier.
        max_in_flight: most messages that this worker has taken at a time.
        patience: seconds to wait for an unavailable database.
    """

    def __init__(
        self,
        callsavvy: JournaledClient,
        database: str | None = None,
        *,
        forever: bool = True,
        poll: float = 2.0,
        max_in_flight: int = 64,
        patience: float = 120.0,
    ) -> None:
        self._callsavvy = callsavvy
        self._database = database
        self._forever = forever
        self._poll = poll
        self._patience = patience
        self.report: OutboxReport = OutboxReport()
        """What was done until now."""
        self._unknown: set[int] = set()
        self._table: OutboxTable  # `work` finds it
        self._loop = WorkLoop(self._take, self._send, self._give_back, most=max_in_flight, poll=poll)

    def stop(self) -> None:
        """Take no more messages, and end after the requests in flight. Call it in the event loop."""
        self._loop.stop()

    def abandon(self) -> None:
        """End without waiting. Requests in flight become unknown."""
        self.stop()
        for send in self._loop.taken:
            send.context.abandon()

    async def work(self) -> OutboxReport:
        """Send messages until `stop`, or until the outbox is empty.

        Cancelling takes no more messages, and waits for the requests in flight.

        Raises:
            ConfigurationError: there is no outbox.
            RejectedError: the API rejects the keys, or the balance is used up; the messages stay in the outbox.
            NotSentError: without `forever`: the API is unreachable; the messages stay in the outbox.
            JournalError: the database or the journal cannot be used.
        """
        keys = await self._callsavvy.keys()
        self._table, writer = table_of(keys, self._database, self._patience)
        is_own = writer is not keys.writer
        if is_own:
            await writer.open()
        try:
            await self._table.count()  # raises without a table
            await self._table.reopen(UNKNOWN)
            await self._work(writer)
        finally:
            if is_own:
                with anyio.CancelScope(shield=True):
                    await writer.close()
        return self.report

    async def _work(self, writer: Writer) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as helpers:
            if isinstance(writer.database, PostgreSQL):
                helpers.start_soon(self._listen, writer.database.listener(CHANNEL))
            helpers.start_soon(self._check_unknown)
            try:
                await self._loop.run(forever=self._forever)
            except Exception as error:  # noqa: BLE001 - raised below, outside of an exception group
                failure = error
            helpers.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _take(self, most: int) -> list[_Send]:
        return [_Send(row) for row in await self._table.take(most)]

    async def _give_back(self, send: _Send) -> None:
        await self._table.settle(send.row, PENDING)

    async def _listen(self, listener: Listener) -> None:
        try:
            while True:
                await anyio.to_thread.run_sync(listener.wait, self._poll, abandon_on_cancel=True)
                self._loop.wake()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(listener.close)

    async def _check_unknown(self) -> None:
        """Take unknown rows again now and then: their keys tell whether a person has resolved them."""
        while True:
            await anyio.sleep(_BETWEEN_CHECKS)
            try:
                await self._table.reopen(UNKNOWN)
            except JournalError as error:
                return self._loop.fail(error)

    async def _send(self, send: _Send) -> None:
        state, detail = await self._outcome(send)
        if state is None:
            await self._table.delete(send.row)
        else:
            await self._table.settle(send.row, state, detail)

    async def _outcome(self, send: _Send) -> tuple[str | None, str]:
        """Send a message. Return the state of its row, None if it is done, and the reason of a failure."""
        row = send.row
        try:
            with tracking(send.context):
                await self._request(row)
        except (InvalidRequestError, OutcomeUnknownError, RejectedError, NotSentError) as error:
            return self._judge(row, error)
        self._loop.pause = 0.0
        self.report.sent += 1
        self._count_unknown(row, is_unknown=False)
        return None, ""

    def _count_unknown(self, row: OutboxRow, *, is_unknown: bool) -> None:
        """Count a row once, however often it is looked at."""
        (self._unknown.add if is_unknown else self._unknown.discard)(row.id)
        self.report.unknown = len(self._unknown)

    def _judge(self, row: OutboxRow, error: InvalidRequestError | RequestError) -> tuple[str, str]:
        detail = redact(str(error))
        self._count_unknown(row, is_unknown=isinstance(error, OutcomeUnknownError))
        if isinstance(error, OutcomeUnknownError):
            return UNKNOWN, detail
        if isinstance(error, _ENDS_WORK) or (isinstance(error, _TRANSIENT) and not self._forever):
            self._loop.fail(error)
        elif isinstance(error, _TRANSIENT):
            self._loop.pause = min(2 * self._loop.pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            _log.warning("the outbox waits %.3g s: %s", self._loop.pause, detail)
        else:
            self.report.failed += 1
            _log.warning("the outbox cannot send the message %s: %s", redact(row.key), detail)
            return FAILED, detail
        return PENDING, ""

    async def _request(self, row: OutboxRow) -> SendReceipt:
        try:
            message = Message.from_json(json.loads(row.message))
        except (ValueError, TypeError, AttributeError):
            raise InvalidRequestError("the row's message is none that Outbox writes.") from None
        return await message.send(self._callsavvy.messaging, row.recipient, message.common or "", key=row.key)
