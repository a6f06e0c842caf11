"""Send one message to many recipients: `Callsavvy.bulk`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Unpack

import attrs

from callsavvy_async.bulk.arrow_rows import SupportsArrowStream
from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.options import BulkOptions, bulk_settings
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.planning import make_plan
from callsavvy_async.bulk.recipients import RecipientInput, Skipped
from callsavvy_async.bulk.run import BulkRun
from callsavvy_async.bulk.source import Recipients
from callsavvy_async.messages import SMS, Message, Robocall, WhatsApp, require_message
from callsavvy_async.resources.messaging import Messaging
from callsavvy_async.tracebacks import private_arguments


@private_arguments
class Bulk:
    """Sends to many recipients. A failed request does not raise: the report counts it and lists its recipients."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    def send(self, recipients: Recipients, message: Message, **options: Unpack[BulkOptions]) -> BulkRun:
        """Send a message to many numbers: ``report = await callsavvy.bulk.send(recipients, SMS("Hello"))``.

        Args:
            recipients: any iterable or async iterable of numbers, `Recipient`, `Contact` or mappings; or a table of pandas,
                polars, DuckDB, pyarrow or another library of Arrow tables (extra ``parquet``); read lazily.
            message: an `SMS`, a `WhatsApp` or a `Robocall`.
            **options: see `BulkOptions`.

        Raises:
            ConfigurationError: an option does not exist, or breaks a rule; nothing was sent.
            InvalidRequestError: an argument breaks a rule; nothing was sent.
        """
        return BulkRun(self._messaging, recipients, require_message(message), bulk_settings(**options))

    @staticmethod
    def plan(
        recipients: Iterable[RecipientInput] | SupportsArrowStream,
        message: Message,
        *,
        balance: Decimal | None = None,
        on_skipped: Callable[[Skipped], object] | None = None,
        **options: Unpack[BulkOptions],
    ) -> Plan:
        """Compute offline what `send` would do: recipients, skipped rows, encoding, segments, requests and units.

        Args:
            recipients: as for `send`; read once.
            message: as for `send`.
            balance: units of the account (``account.summary()``), for comparison.
            on_skipped: gets each row that would be skipped. It holds the number as given.
            **options: as for `send`.

        Raises:
            ConfigurationError: an option does not exist, or breaks a rule.
            InvalidRequestError: an argument breaks a rule, or the template names a field that recipients do not have.
        """
        settings = bulk_settings(**options)
        settings.check_for(require_message(message))
        fewest = ChunkSize(message.chunk_size(settings.chunk_size), free=1)
        most = attrs.evolve(fewest, free=settings.max_in_flight)
        return make_plan(
            recipients,
            message,
            recipient_filter=settings.recipient_filter(message),
            chunkers=[Chunker(size=size, message=message) for size in (fewest, most)],
            balance=balance,
            max_cost=settings.max_cost,
            on_skipped=on_skipped,
        )

    def sms(
        self,
        recipients: Recipients,
        text: str | None = None,
        *,
        template: str | None = None,
        sender_id: str | None = None,
        literal: bool = False,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Send an `SMS` to many numbers; see `send`.

        Args:
            recipients: see `send`.
            text: the text for all recipients; alternatively, give `template`.
            template: text with placeholders such as ``{name}``, filled in from each recipient's fields.
            sender_id: approved sender id; the account's default when None.
            literal: take braces in `text` as they are.
            **options: see `BulkOptions`.
        """
        return self.send(recipients, SMS(text, template=template, sender_id=sender_id, literal=literal), **options)

    def whatsapp(
        self,
        recipients: Recipients,
        text: str | None = None,
        *,
        channel_uid: str,
        template: str | None = None,
        literal: bool = False,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Send a `WhatsApp` message to many numbers; see `send`.

        Args:
            recipients: see `send`.
            text: the text for all recipients; alternatively, give `template`.
            channel_uid: UID of the WhatsApp channel to send from.
            template: text with placeholders such as ``{name}``, filled in from each recipient's fields.
            literal: take braces in `text` as they are.
            **options: see `BulkOptions`.
        """
        return self.send(
            recipients, WhatsApp(text, template=template, channel_uid=channel_uid, literal=literal), **options
        )

    def robocall(
        self,
        recipients: Recipients,
        text: str | None = None,
        *,
        duration_minutes: int | Decimal | timedelta,
        template: str | None = None,
        audio_url: str | None = None,
        literal: bool = False,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Make a `Robocall` to many numbers; see `send`.

        Args:
            recipients: see `send`.
            text: the words to speak; alternatively, give `template` or `audio_url`.
            duration_minutes: length of a call, which the API charges in whole minutes.
            template: words with placeholders such as ``{name}``, filled in from each recipient's fields.
            audio_url: https URL of a recording to play.
            literal: take braces in `text` as they are.
            **options: see `BulkOptions`.
        """
        message = Robocall(text, template=template, audio_url=audio_url, duration=duration_minutes, literal=literal)
        return self.send(recipients, message, **options)
