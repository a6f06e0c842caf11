"""`OutboxWorker`: sends what is in the outbox.

Theory: a row becomes a request with ``key=``, so its journal decides whether it is sent. Whatever happens to the row, to a
worker or to both, the next worker may take the row again: if its request was accepted, the recorded receipt deletes the
row; if its outcome is unknown, nothing is sent and the row says so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVarTuple

import anyio
import anyio.to_thread
import attrs
from anyio.abc import TaskGroup

from callsavvy_async.campaigns import client_protocol
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

Ts = TypeVarTuple("Ts")

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
        self._most = max_in_flight
        self._patience = patience
        self.report: OutboxReport = OutboxReport()
        """What was done until now."""
        self._taken: dict[int, tuple[OutboxRow, RequestContext]] = {}
        """By the identity of the row object, since a row may be taken again while its last attempt ends."""
        self._unknown: set[int] = set()
        self._stopping = False
        self._woken = anyio.Event()
        self._pause = 0.0
        self._failure: Exception | None = None

    def stop(self) -> None:
        """Take no more messages, and end after the requests in flight. Call it in the event loop."""
        self._stopping = True
        self._woken.set()

    def abandon(self) -> None:
        """End without waiting. Requests in flight become unknown."""
        self.stop()
        for _, context in self._taken.values():
            context.abandon()

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
        table, writer = table_of(keys, self._database, self._patience)
        is_own = writer is not keys.writer
        if is_own:
            await writer.open()
        try:
            await table.count()  # raises without a table
            await self._work(table, writer)
        finally:
            if is_own:
                with anyio.CancelScope(shield=True):
                    await writer.close()
        if self._failure is not None:
            raise self._failure
        return self.report

    async def _work(self, table: OutboxTable, writer: Writer) -> None:
        async with anyio.create_task_group() as helpers:
            if isinstance(writer.database, PostgreSQL):
                helpers.start_soon(self._listen, writer.database.listener(CHANNEL))
            helpers.start_soon(self._guarded, self._check_unknown, table)
            try:
                async with anyio.create_task_group() as sends:
                    await self._guarded(self._take_and_send, table, sends)
            finally:
                with anyio.CancelScope(shield=True):
                    for row, _ in self._taken.values():  # those of tasks that were cancelled or failed
                        await self._guarded(table.settle, row, PENDING)
                self._taken.clear()
            helpers.cancel_scope.cancel()

    async def _guarded(self, work: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Stop the worker if an error occurs; `work` raises it, outside of an exception group."""
        try:
            await work(*arguments)
        except Exception as error:  # noqa: BLE001 - see above
            self._failure = self._failure or error
            self.stop()

    async def _take_and_send(self, table: OutboxTable, sends: TaskGroup) -> None:
        await table.reopen(UNKNOWN)
        while not self._stopping:
            self._woken = anyio.Event()
            for row in await self._take(table):
                sends.start_soon(self._guarded, self._send, table, row)
            if not (self._taken or self._forever):
                return
            with anyio.move_on_after(self._pause or self._poll):
                await self._woken.wait()

    async def _take(self, table: OutboxTable) -> list[OutboxRow]:
        """Take as many rows as there is room for."""
        if len(self._taken) >= self._most:
            return []
        rows = await table.take(self._most - len(self._taken))
        self._taken |= {id(row): (row, RequestContext(shield=True)) for row in rows}
        return rows

    async def _listen(self, listener: Listener) -> None:
        try:
            while True:
                await anyio.to_thread.run_sync(listener.wait, self._poll, abandon_on_cancel=True)
                self._wake()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(listener.close)

    async def _check_unknown(self, table: OutboxTable) -> None:
        """Take unknown rows again now and then: their keys tell whether a person has resolved them."""
        while True:
            await anyio.sleep(_BETWEEN_CHECKS)
            await table.reopen(UNKNOWN)

    async def _send(self, table: OutboxTable, row: OutboxRow) -> None:
        state, detail = await self._outcome(row)
        if state is None:
            await table.delete(row)
        else:
            await table.settle(row, state, detail)
        del self._taken[id(row)]
        self._wake()

    def _wake(self) -> None:
        if not self._pause:
            self._woken.set()

    async def _outcome(self, row: OutboxRow) -> tuple[str | None, str]:
        """Send a message. Return the state of its row, None if it is done, and the reason of a failure."""
        try:
            with tracking(self._taken[id(row)][1]):
                await self._request(row)
        except (InvalidRequestError, OutcomeUnknownError, RejectedError, NotSentError) as error:
            return self._judge(row, error)
        self._pause = 0.0
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
            self._failure = error
            self.stop()
        elif isinstance(error, _TRANSIENT):
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            _log.warning("the outbox waits %.3g s: %s", self._pause, detail)
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
