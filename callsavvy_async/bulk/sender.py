"""What differs between SMS, WhatsApp and robocalls when many are sent: the method, the limits, the cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal

import attrs

from callsavvy_async.bulk.chunks import Chunk, Content
from callsavvy_async.bulk.plan import Channel, units_per_message
from callsavvy_async.bulk.templates import Template
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.messaging import Messaging
from callsavvy_async.resources.sends import MAX_WHATSAPP_RECIPIENTS, USUAL_RECIPIENTS, SendReceipt
from callsavvy_async.transport.options import CallOptions


@attrs.frozen
class Sender:
    """Sends the chunks of one channel."""

    channel: Channel
    send: Callable[[Chunk, CallOptions], Awaitable[SendReceipt]]
    minutes: Decimal | None = None

    def estimate(self, chunk: Chunk) -> Decimal:
        """Units that a chunk will cost by the document's rules; 0 where they give none."""
        return estimated_units(self.channel, chunk, self.minutes)

    def check_max_cost(self, max_cost: Decimal | int | None) -> None:
        """Raise `InvalidRequestError` where a budget cannot be kept."""
        if max_cost is not None and self.channel == "whatsapp":
            raise InvalidRequestError(
                "max_cost cannot be kept for WhatsApp: the API documents no cost and reports none."
            )


def sms_sender(messaging: Messaging, sender_id: str | None) -> Sender:
    """Send chunks as SMS."""

    async def send(chunk: Chunk, call: CallOptions) -> SendReceipt:
        numbers = (recipient.number for recipient in chunk.recipients)
        return await messaging.send_sms(numbers, chunk.text, sender_id=sender_id, **call)

    return Sender("sms", send)


def whatsapp_sender(messaging: Messaging, channel_uid: str) -> Sender:
    """Send chunks as WhatsApp messages."""

    async def send(chunk: Chunk, call: CallOptions) -> SendReceipt:
        numbers = (recipient.number for recipient in chunk.recipients)
        return await messaging.send_whatsapp(numbers, chunk.text, channel_uid=channel_uid, **call)

    return Sender("whatsapp", send)


def robocall_sender(messaging: Messaging, minutes: Decimal, *, recorded: bool) -> Sender:
    """Send chunks as robocalls, whose text is read out or, when recorded, is the URL of the recording."""

    async def send(chunk: Chunk, call: CallOptions) -> SendReceipt:
        numbers = [recipient.number for recipient in chunk.recipients]
        content: dict[Literal["audio_url", "text"], str] = {"audio_url" if recorded else "text": chunk.text}
        return await messaging.send_robocall(numbers, duration_minutes=minutes, **content, **call)

    return Sender("robocall", send, minutes)


def estimated_units(channel: Channel, chunk: Chunk, minutes: Decimal | None) -> Decimal:
    """Return the units that a chunk will cost by the document's rules; 0 where they give none."""
    return (units_per_message(channel, chunk.text, minutes) or Decimal(0)) * len(chunk.recipients)


def one_content(message: str | None, template: str | None) -> Content:
    """Return what the recipients get: one text for all, or a template.

    Raises:
        InvalidRequestError: there is not exactly one of the two, or it is blank.
    """
    if (message is None) == (template is None):
        raise InvalidRequestError("give either one message for all or template=; exactly one of the two.")
    if template is not None:
        return Template(template)
    if message is None or not message.strip():
        raise InvalidRequestError("the message is blank; the API requires a text.")
    return message


def checked_chunk_size(channel: Channel, asked: int | None) -> int:
    """Return how many recipients a call takes: what was asked for, or the usual number.

    Raises:
        InvalidRequestError: the channel does not take so many.
    """
    largest = MAX_WHATSAPP_RECIPIENTS if channel == "whatsapp" else None
    size = min(USUAL_RECIPIENTS, largest or USUAL_RECIPIENTS) if asked is None else asked
    if size < 1 or (largest is not None and size > largest):
        most = f" and {largest} at the most" if largest else ""
        raise InvalidRequestError(f"chunk_size is {size}; it must be at least 1{most}.")
    return size
