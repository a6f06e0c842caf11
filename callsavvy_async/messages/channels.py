"""The message classes of the API's channels."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Unpack

import attrs

from callsavvy_async.messages.message import Message
from callsavvy_async.messages.segments import Segments, count_segments
from callsavvy_async.redaction import mask_key, mask_text
from callsavvy_async.resources.sends import MAX_WHATSAPP_RECIPIENTS, SendReceipt, format_minutes
from callsavvy_async.resources.text import require_text, require_web_url
from callsavvy_async.tracebacks import private_arguments

if TYPE_CHECKING:
    from callsavvy_async.resources.account import Summary
    from callsavvy_async.resources.messaging import Messaging
    from callsavvy_async.transport.options import RequestOptions


@private_arguments
@attrs.frozen
class SMS(Message):
    """An SMS: ``SMS("We open at nine.")``. It costs one unit per segment (API document: "Send SMS Message").

    Args:
        text: a text for all recipients; or
        template: a text with ``{field}`` or ``{field|default}`` for the fields of each recipient.
        sender_id: the displayed sender; the account's default when None.
        literal: whether to send placeholders unchanged.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """

    channel: ClassVar[str] = "sms"
    is_reconcilable: ClassVar[bool] = True

    sender_id: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.sender_id is not None:
            require_text(self.sender_id, "sender_id")

    @property
    def sender(self) -> str:
        """The displayed sender."""
        return "the account's default" if self.sender_id is None else self.sender_id

    def units(self, text: str) -> Decimal:
        """Return the number of segments of a text."""
        return Decimal(count_segments(text).segments)

    def segments(self, text: str) -> Segments:
        """Return the encoding and segments of a text."""
        return count_segments(text)

    def balance(self, summary: Summary) -> Decimal | None:
        """Return the account's SMS units."""
        return summary.sms_balance

    def send(
        self, messaging: Messaging, recipients: Iterable[str], text: str, **options: Unpack[RequestOptions]
    ) -> Awaitable[SendReceipt]:
        """Send the text; see `Messaging.send_sms`.

        Args:
            messaging: The API's methods for sending.
            recipients: Numbers in international form.
            text: The text.
            **options: See `RequestOptions`.
        """
        return messaging.send_sms(recipients, text, sender_id=self.sender_id, **options)


@private_arguments
@attrs.frozen
class WhatsApp(Message):
    """A WhatsApp message, to at most 30 recipients per request. The API document does not give its cost.

    Args:
        text: a text for all recipients; or
        template: a text with ``{field}`` or ``{field|default}`` for the fields of each recipient.
        channel_uid: UID of the channel to send from (dashboard, Settings -> Social Integrations).
        literal: whether to send placeholders unchanged.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """

    channel: ClassVar[str] = "whatsapp"
    most_recipients: ClassVar[int | None] = MAX_WHATSAPP_RECIPIENTS
    is_priced: ClassVar[bool] = False

    channel_uid: str = attrs.field(kw_only=True, repr=mask_text)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        require_text(self.channel_uid, "channel_uid")

    @property
    def sender(self) -> str:
        """The end of the channel's UID."""
        return f"WhatsApp channel {mask_key(self.channel_uid)}"

    def units(self, text: str) -> None:
        """Return None, because the API document gives no cost."""

    def send(
        self, messaging: Messaging, recipients: Iterable[str], text: str, **options: Unpack[RequestOptions]
    ) -> Awaitable[SendReceipt]:
        """Send the text; see `Messaging.send_whatsapp`.

        Args:
            messaging: The API's methods for sending.
            recipients: Numbers in international form.
            text: The text.
            **options: See `RequestOptions`.
        """
        return messaging.send_whatsapp(recipients, text, channel_uid=self.channel_uid, **options)


def _read_minutes(duration: int | Decimal | timedelta) -> Decimal:
    return Decimal(format_minutes(duration, "duration"))


@private_arguments
@attrs.frozen
class Robocall(Message):
    """A phone call that reads out a text in English or plays a recording: ``Robocall("We open at nine.", duration=1)``.

    It costs its minutes (API document: "Send Voice Message").

    Args:
        text: a text for all recipients; or
        template: a text with ``{field}`` or ``{field|default}`` for the fields of each recipient; or
        audio_url: URL of an MP3 file.
        duration: length of the call, in minutes or as a timedelta. Shorter contents play in a loop until then, and cost the
            whole duration.
        literal: whether to read out placeholders unchanged.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """

    channel: ClassVar[str] = "robocall"
    contents: ClassVar[tuple[str, ...]] = ("text", "template", "audio_url")

    audio_url: str | None = attrs.field(default=None, kw_only=True, repr=mask_text)
    duration: Decimal = attrs.field(kw_only=True, converter=_read_minutes)
    """Minutes."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.audio_url is not None:
            require_web_url(self.audio_url, "audio_url")

    @property
    def sender(self) -> str:
        """The number that calls, and the length of a call."""
        return f"the account's number; each call takes {self.duration} min"

    def units(self, text: str) -> Decimal:  # noqa: ARG002 - independent of the text
        """Return the minutes of a call."""
        return self.duration

    def balance(self, summary: Summary) -> Decimal | None:
        """Return the smaller of the local and international minutes.

        The API charges by destination, but does not document which numbers are local. Only the smaller balance surely covers
        a call.
        """
        minutes = (summary.outbound_local_call_balance, summary.outbound_international_call_balance)
        return min((part for part in minutes if part is not None), default=None)

    def send(
        self, messaging: Messaging, recipients: Iterable[str], text: str, **options: Unpack[RequestOptions]
    ) -> Awaitable[SendReceipt]:
        """Call the recipients; see `Messaging.send_robocall`.

        Args:
            messaging: The API's methods for sending.
            recipients: Numbers in international form.
            text: The words to speak, or the URL of the recording.
            **options: See `RequestOptions`.
        """
        if self.audio_url is not None:
            return messaging.send_robocall(recipients, duration_minutes=self.duration, audio_url=text, **options)
        return messaging.send_robocall(recipients, duration_minutes=self.duration, text=text, **options)
