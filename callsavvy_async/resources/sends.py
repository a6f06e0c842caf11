"""Endpoints for sending, their limits and their receipt.

API document: "Send SMS Message", "Send Voice Message", "Send WhatsApp Message".
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.values import SendStatus
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Receipt

__all__ = ["SendReceipt"]

MAX_WHATSAPP_RECIPIENTS = 30
"""Most recipients of a sendWhatsapp request (API document: "Send WhatsApp Message")."""
USUAL_RECIPIENTS = 100
"""Recipients of other requests. The API document gives no maximum; a small request leaves few recipients unknown."""

_DECIMALS = 4
"""Decimals of a minute. The API document gives no rule for fractions, and they cost money."""


@attrs.frozen(kw_only=True)
class SendReceipt(Receipt):
    """Receipt of a send request: one status, one id and one cost for all its recipients.

    It confirms that the API accepted the request. It says nothing about delivery or single recipients. A value that the API
    omits is None; for WhatsApp, the API reports neither id nor cost.

    Attributes:
        message_id: id of the request's messages.
        cost: cost in units. The API document does not say whether it is per request or per recipient.
        status: status of the request as a whole.
    """

    message_id: str | None = None
    cost: Decimal | None = None
    status: SendStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the API accepted the request and reported that sending failed. It may be charged, so it is not retried."""
        return self.status is SendStatus.FAILED


SEND_SMS = Endpoint("sendSMS", SendReceipt, Effect.SPEND)
SEND_ROBOCALL = Endpoint("sendRobocall", SendReceipt, Effect.SPEND)
SEND_WHATSAPP = Endpoint("sendWhatsapp", SendReceipt, Effect.SPEND)


def format_minutes(duration: int | Decimal | timedelta, name: str = "duration_minutes") -> str:
    """Format the duration of a robocall in minutes.

    Raises:
        InvalidRequestError: the duration is not above 0, or needs more than 4 decimals.
    """
    minutes = _minutes(duration)
    if not minutes.is_finite() or minutes <= 0:
        raise InvalidRequestError(f"{name} is {duration!r}; it must be a number of minutes above 0.")
    text = f"{minutes.normalize():f}"
    if len(text.partition(".")[2]) > _DECIMALS:
        raise InvalidRequestError(
            f"{name} is {duration!r}, which is {text[:8]}... minutes; give minutes with at most {_DECIMALS} decimals, as in 1.5."
        )
    return text


def _minutes(duration: float | Decimal | timedelta) -> Decimal:
    try:
        match duration:
            case timedelta():
                return Decimal(duration // timedelta(seconds=1)) / 60
            case float():
                return Decimal(repr(duration))  # 0.1 instead of the 55 digits of its binary value
            case _:
                return Decimal(duration)
    except (InvalidOperation, TypeError, ValueError):
        return Decimal("NaN")
