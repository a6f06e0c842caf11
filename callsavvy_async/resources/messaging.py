"""Send messages.

API document: "Send SMS Message", "Send Voice Message", "Send WhatsApp Message".
"""

from __future__ import annotations

from collections.abc import Iterable, Set as AbstractSet
from datetime import timedelta
from decimal import Decimal
from typing import Unpack

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.resources.sends import (
    MAX_WHATSAPP_RECIPIENTS,
    SEND_ROBOCALL,
    SEND_SMS,
    SEND_WHATSAPP,
    SendReceipt,
    format_minutes,
)
from callsavvy_async.resources.text import exactly_one, require_text, require_web_url
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.values import CallType


@private_arguments
class Messaging:
    """Sends SMS, robocalls and WhatsApp messages, one request each. For many recipients, see `Callsavvy.bulk`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send_sms(
        self,
        recipients: str | Iterable[str],
        message: str,
        *,
        sender_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> SendReceipt:
        """Send an SMS to one or several numbers in one request.

        Args:
            recipients: a number in international format, or several.
            message: the text; see `callsavvy_async.messages.segments` for its cost in segments.
            sender_id: the displayed sender; the account's default when None.
            **options: see `RequestOptions`.

        Raises:
            InvalidRequestError: a number or the text breaks a rule; nothing was sent.
            OutcomeUnknownError: the request left, but its outcome is unknown; it is never retried.
        """
        return await self._transport.send(
            SEND_SMS,
            options,
            recipient=_join(recipients),
            message=require_text(message, "message"),
            sender_id=sender_id,
        )

    async def send_robocall(
        self,
        recipients: str | Iterable[str],
        *,
        duration_minutes: int | Decimal | timedelta,
        audio_url: str | None = None,
        text: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> SendReceipt:
        """Call one or several numbers and play a recording or read out a text.

        Args:
            recipients: a number in international format, or several.
            duration_minutes: length of the call. Shorter contents play in a loop until then, and cost the whole duration.
            audio_url: URL of an MP3 file; or
            text: a text to read out in English. Give exactly one of the two.
            **options: see `RequestOptions`.

        Raises:
            InvalidRequestError: an argument breaks a rule; nothing was sent.
            OutcomeUnknownError: the request left, but its outcome is unknown; it is never retried.
        """
        call_type, content = _robocall_content(audio_url, text)
        return await self._transport.send(
            SEND_ROBOCALL,
            options,
            call_type=call_type.value,
            recipient=_join(recipients),
            message=content,
            duration=format_minutes(duration_minutes),
        )

    async def send_whatsapp(
        self,
        recipients: str | Iterable[str],
        message: str,
        *,
        channel_uid: str,
        **options: Unpack[RequestOptions],
    ) -> SendReceipt:
        """Send a WhatsApp message to at most 30 numbers in one request.

        Args:
            recipients: a number in international format, or up to 30.
            message: the text.
            channel_uid: UID of the channel to send from (dashboard, Settings -> Social Integrations).
            **options: see `RequestOptions`.

        Raises:
            InvalidRequestError: an argument breaks a rule, or there are more than 30 recipients; nothing was sent.
            OutcomeUnknownError: the request left, but its outcome is unknown; it is never retried.
        """
        return await self._transport.send(
            SEND_WHATSAPP,
            options,
            uid=require_text(channel_uid, "channel_uid"),
            recipient=_join(recipients, most=MAX_WHATSAPP_RECIPIENTS),
            message=require_text(message, "message"),
        )


def _robocall_content(audio_url: str | None, text: str | None) -> tuple[CallType, str]:
    exactly_one({"audio_url=": audio_url, "text=": text}, "a robocall")
    if audio_url is not None:
        return CallType.PRE_RECORDED_AUDIO, require_web_url(audio_url, "audio_url")
    return CallType.TEXT_2_SPEECH, require_text(text or "", "text")


def _join(recipients: str | Iterable[str], *, most: int | None = None) -> str:
    """Normalise and deduplicate the recipients, and join them with ",", as the API document asks."""
    if isinstance(recipients, str):
        return normalise_number(recipients)
    if isinstance(recipients, AbstractSet):  # its order differs between processes, and a key's content must not
        recipients = sorted(recipients)
    numbers = list(dict.fromkeys(normalise_number(number) for number in recipients))
    if not numbers:
        raise InvalidRequestError("recipients is empty; give at least one phone number.")
    if most is not None and len(numbers) > most:
        raise InvalidRequestError(
            f"there are {len(numbers)} recipients; one request takes at most {most}. Use client.bulk, which splits them."
        )
    return ",".join(numbers)
