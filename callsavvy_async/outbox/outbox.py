"""`Outbox`: enqueues messages in the user's own transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Generator
from datetime import timedelta
from decimal import Decimal

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import SMS, Message, Robocall, WhatsApp, require_message
from callsavvy_async.outbox.connections import execute
from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import check_key

_INSERT = "INSERT INTO callsavvy_outbox (key, recipient, message) VALUES (?, ?, ?)"


class Enqueued:
    """A message in the outbox. With an async connection, await it; with another one, the row is there already.

    Attributes:
        key: key of the send.
    """

    __slots__ = ("_work", "key")

    def __init__(self, key: str, work: Awaitable[object] | None) -> None:
        self.key: str = key
        self._work = work

    def __repr__(self) -> str:
        return "<Enqueued>"

    def __await__(self) -> Generator[object, object, Enqueued]:
        if self._work is not None:
            yield from self._work.__await__()
            self._work = None
        return self


@private_arguments
class Outbox:
    """Writes messages as rows of your own transaction. A worker sends them once it has committed; see `OutboxWorker`.

    Each method takes the connection, cursor or session that your transaction runs on: of psycopg, asyncpg, SQLAlchemy,
    Django, sqlite3 or aiosqlite. It executes one INSERT on it, and nothing else. If the connection is async, await the
    method. Create the table ``callsavvy_outbox`` with the SQL of ``callsavvy outbox sql``.

    A row has one recipient. Rows of one recipient are sent in their order.
    """

    def send(self, connection: object, recipient: str, message: Message, *, key: str | None = None) -> Enqueued:
        """Enqueue a message.

        Args:
            connection: the connection of the transaction.
            recipient: a number in international format.
            message: an `SMS`, a `WhatsApp` or a `Robocall` without a template.
            key: name of the intent. All sends with one key are one, also those with ``key=`` of a client with the same
                journal. By default a new random one.

        Raises:
            InvalidRequestError: an argument breaks a rule; nothing was written.
        """
        key = f"outbox-{secrets.token_hex(16)}" if key is None else key
        check_key(key)
        if require_message(message).merge is not None:
            raise InvalidRequestError("the message has a template; fill it in and give the text of this recipient.")
        values = (key, normalise_number(recipient), json.dumps(message.to_json()))
        return Enqueued(key, execute(connection, _INSERT, values))

    def send_sms(
        self, connection: object, recipient: str, message: str, *, sender_id: str | None = None, key: str | None = None
    ) -> Enqueued:
        """Enqueue an SMS; see `send` and `Messaging.send_sms`."""
        return self.send(connection, recipient, SMS(message, sender_id=sender_id, literal=True), key=key)

    def send_whatsapp(
        self, connection: object, recipient: str, message: str, *, channel_uid: str, key: str | None = None
    ) -> Enqueued:
        """Enqueue a WhatsApp message; see `send` and `Messaging.send_whatsapp`."""
        return self.send(connection, recipient, WhatsApp(message, channel_uid=channel_uid, literal=True), key=key)

    def send_robocall(
        self,
        connection: object,
        recipient: str,
        *,
        duration_minutes: int | Decimal | timedelta,
        audio_url: str | None = None,
        text: str | None = None,
        key: str | None = None,
    ) -> Enqueued:
        """Enqueue a robocall; see `send` and `Messaging.send_robocall`."""
        message = Robocall(text, audio_url=audio_url, duration=duration_minutes, literal=True)
        return self.send(connection, recipient, message, key=key)
