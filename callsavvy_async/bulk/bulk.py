"""Send one message to many people: validated, de-duplicated, cut into calls, sent concurrently, reported one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Literal, TypedDict, Unpack

from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunker, Content
from callsavvy_async.bulk.fan_out import FanOut, ReportSink
from callsavvy_async.bulk.limits import Budget, StopRules
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.plan import Plan, make_plan
from callsavvy_async.bulk.recipients import Doubtful, Intake, RecipientInput
from callsavvy_async.bulk.report import BulkReport, ChunkResult
from callsavvy_async.bulk.run import BulkRun, Results, Teller
from callsavvy_async.bulk.sender import (
    Sender,
    checked_chunk_size,
    one_content,
    robocall_sender,
    sms_sender,
    whatsapp_sender,
)
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.bulk.templates import Template
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT
from callsavvy_async.resources.messaging import Messaging, format_minutes
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import CallOptions


class BulkOptions(TypedDict, total=False):
    """Keyword options that every bulk send takes.

    Attributes:
        template: text with ``{placeholders}`` for the fields of each recipient, instead of one message for all.
        chunk_size: most recipients per call; WhatsApp takes 30 at the most. Small chunks keep what may become unknown small,
            so a call takes no more than 25 until calls are scarce; see `callsavvy_async.bulk.chunk_size`.
        max_in_flight: most calls under way at a time; fewer where the limit, or what the client may have in flight, is less.
        max_cost: units that may be spent; estimated before each call, raised to the cost that the API reports.
        suppress: numbers that must get nothing.
        column: the field of a mapping that holds the number, or several, of which the first that is not blank does; found
            by its name when None.
        region: two letters (``"NG"``): national numbers of this country are taken too. Needs the ``phone`` extra.
        international: numbers without ``+`` begin with their country code. Without it and ``region`` they are taken so
            too, but counted as doubtful.
        validate: ``"shape"``, or ``"possible"`` and ``"valid"`` by the ``phone`` extra.
        stop_after: calls in a row that fail definitely and alike, after which nothing more is sent.
        on_result: told of every call that settled.
        options: for each call; without ``deadline`` a call may wait for the limit as long as it takes.
    """

    template: str | None
    chunk_size: int
    max_in_flight: int
    max_cost: Decimal | int | None
    suppress: Iterable[str] | NumberSet
    column: str | Sequence[str] | None
    region: str | None
    international: bool
    validate: Literal["shape", "possible", "valid"]
    stop_after: int
    on_result: Callable[[ChunkResult], object]
    options: CallOptions


@private_arguments
class Bulk:
    """Send to many people. One failed call never raises: it is counted, and reported for each of its recipients."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    def sms(
        self,
        recipients: Recipients,
        message: str | None = None,
        *,
        sender_id: str | None = None,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Send an SMS to many numbers: ``report = await callsavvy.bulk.sms(recipients, "Hello")``.

        Args:
            recipients: any iterable or async iterable of numbers, `Recipient`, `Contact` or mappings; it is read as it is
                needed.
            message: the text for all; or give `template`.
            sender_id: what the recipients see as sender.
            **options: see `BulkOptions`; `chunk_size` is 100 unless given.

        Raises:
            InvalidRequestError: an argument breaks a rule; nothing was sent.
        """
        return _prepare(sms_sender(self._messaging, sender_id), recipients, message, options)

    def whatsapp(
        self,
        recipients: Recipients,
        message: str | None = None,
        *,
        channel_uid: str,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Send a WhatsApp message to many numbers, at most 30 in a call. See `sms`; the API reports no cost."""
        return _prepare(whatsapp_sender(self._messaging, channel_uid), recipients, message, options)

    def robocall(
        self,
        recipients: Recipients,
        text: str | None = None,
        *,
        duration_minutes: int | Decimal | timedelta,
        audio_url: str | None = None,
        **options: Unpack[BulkOptions],
    ) -> BulkRun:
        """Call many numbers and read out a text, or play the recording at `audio_url`. See `sms`."""
        if audio_url is not None and (text is not None or options.get("template") is not None):
            raise InvalidRequestError("a robocall plays either audio_url= or a text; give exactly one of the two.")
        minutes = Decimal(format_minutes(duration_minutes))
        sender = robocall_sender(self._messaging, minutes, recorded=audio_url is not None)
        return _prepare(sender, recipients, audio_url or text, options)

    def stream_sms(
        self,
        recipients: Recipients,
        message: str | None = None,
        *,
        sender_id: str | None = None,
        **options: Unpack[BulkOptions],
    ) -> Results:
        """Send as `sms` does, and yield the result of every call as it comes."""
        return Results(self.sms(recipients, message, sender_id=sender_id, **options))

    def stream_whatsapp(
        self, recipients: Recipients, message: str | None = None, *, channel_uid: str, **options: Unpack[BulkOptions]
    ) -> Results:
        """Send as `whatsapp` does, and yield the result of every call as it comes."""
        return Results(self.whatsapp(recipients, message, channel_uid=channel_uid, **options))

    def stream_robocall(
        self,
        recipients: Recipients,
        text: str | None = None,
        *,
        duration_minutes: int | Decimal | timedelta,
        audio_url: str | None = None,
        **options: Unpack[BulkOptions],
    ) -> Results:
        """Send as `robocall` does, and yield the result of every call as it comes."""
        return Results(
            self.robocall(recipients, text, duration_minutes=duration_minutes, audio_url=audio_url, **options)
        )

    @staticmethod
    def plan(
        recipients: Iterable[RecipientInput],
        message: str | None = None,
        *,
        channel: Literal["sms", "whatsapp", "robocall"] = "sms",
        duration_minutes: int | Decimal | timedelta | None = None,
        balance: Decimal | None = None,
        **options: Unpack[BulkOptions],
    ) -> Plan:
        """Work out offline what a bulk send would do: recipients, skipped, encoding, segments, calls, units.

        Args:
            recipients: as for the send; read once.
            message: as for the send.
            channel: which send.
            duration_minutes: of a robocall.
            balance: units at hand (``account.summary()``), to compare with.
            **options: as for the send.
        """
        minutes = None if duration_minutes is None else Decimal(format_minutes(duration_minutes))
        content = one_content(message, options.get("template"))
        return make_plan(
            recipients,
            intake=_intake(options, content, Doubtful()),
            chunker=Chunker(size=checked_chunk_size(channel, options.get("chunk_size")), content=content),
            channel=channel,
            minutes=minutes,
            balance=balance,
        )


def _prepare(sender: Sender, recipients: Recipients, message: str | None, options: BulkOptions) -> BulkRun:
    call: CallOptions = {"deadline": None, **options.get("options", {})}
    max_cost = options.get("max_cost")
    sender.check_max_cost(max_cost)
    report = BulkReport()
    content = one_content(message, options.get("template"))
    workers = options.get("max_in_flight", MAX_IN_FLIGHT)
    size = ChunkSize(checked_chunk_size(sender.channel, options.get("chunk_size")), free=workers)
    chunker = Chunker(size=size, content=content)
    if workers < 1:
        raise InvalidRequestError(f"max_in_flight is {workers}; at least one call must be able to start.")
    tell = Teller(options.get("on_result"))
    fan_out = FanOut(
        lambda chunk: sender.send(chunk, call),
        InputSource(recipients, intake=_intake(options, content, report.doubtful), chunker=chunker, report=report),
        report,
        sink=ReportSink(report),
        workers=workers,
        budget=Budget(None if max_cost is None else Decimal(max_cost), sender.estimate),
        rules=StopRules(options.get("stop_after", 10)),
        size=size,
        on_result=tell,
    )
    return BulkRun(fan_out, report, tell)


def _intake(options: BulkOptions, content: Content, doubtful: Doubtful) -> Intake:
    return Intake(
        column=options.get("column"),
        suppress=options.get("suppress", ()),
        region=options.get("region"),
        international=options.get("international", False),
        validate=options.get("validate", "shape"),
        template=content if isinstance(content, Template) else None,
        doubtful=doubtful,
    )
