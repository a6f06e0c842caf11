"""Combines single sends into shared requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self, Unpack

from callsavvy_async.batching.coalescing import BatchKey, Coalescer
from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.resources.messaging import Messaging
from callsavvy_async.resources.sends import (
    MAX_WHATSAPP_RECIPIENTS,
    SEND_SMS,
    SEND_WHATSAPP,
    USUAL_RECIPIENTS,
    SendReceipt,
)
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions, refuse_key
from callsavvy_async.wire.endpoint import Endpoint


@private_arguments
class Batcher:
    """Sends to one number at a time, from many coroutines, in few requests. Made by `Callsavvy.batcher`.

    Sends with the same text, sender, channel and options share a request. Two sends to the same number go in two requests.
    Each send returns the receipt of its request or raises its error; the id, cost and status are those of the whole request.
    Cancelling a send removes its recipient, unless the request has left. When the API rejects a request because of one
    recipient, the request is split in half until the bad number is alone.
    """

    def __init__(self, messaging: Messaging, max_delay: float) -> None:
        self._messaging = messaging
        self._coalescer = Coalescer(max_delay)

    async def __aenter__(self) -> Self:
        await self._coalescer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._coalescer.__aexit__(kind, error, trace)

    async def send_sms(
        self, recipient: str, message: str, *, sender_id: str | None = None, **options: Unpack[RequestOptions]
    ) -> SendReceipt:
        """Send one SMS text to one number, at most 100 numbers in a request. See `Messaging.send_sms`.

        Args:
            recipient: number in international form.
            message: the text.
            sender_id: approved sender id; the account's default when None.
            **options: see `RequestOptions`.
        """
        send = partial(self._messaging.send_sms, message=message, sender_id=sender_id, **options)
        return await self._send(SEND_SMS, recipient, send, options, (message, sender_id))

    async def send_whatsapp(
        self, recipient: str, message: str, *, channel_uid: str, **options: Unpack[RequestOptions]
    ) -> SendReceipt:
        """Send one WhatsApp text to one number, at most 30 numbers in a request. See `Messaging.send_whatsapp`.

        Args:
            recipient: number in international form.
            message: the text.
            channel_uid: UID of the WhatsApp channel to send from.
            **options: see `RequestOptions`.
        """
        send = partial(self._messaging.send_whatsapp, message=message, channel_uid=channel_uid, **options)
        return await self._send(SEND_WHATSAPP, recipient, send, options, (message, channel_uid))

    async def _send(
        self,
        endpoint: Endpoint[SendReceipt],
        recipient: str,
        send: Callable[[Sequence[str]], Awaitable[SendReceipt]],
        options: RequestOptions,
        alike: tuple[object, ...],
    ) -> SendReceipt:
        refuse_key(options, "a batch")
        most = MAX_WHATSAPP_RECIPIENTS if endpoint is SEND_WHATSAPP else USUAL_RECIPIENTS
        key = BatchKey((endpoint.resource, *alike, repr(options)), endpoint.resource, most, send)
        return await self._coalescer.send(key, normalise_number(recipient))
