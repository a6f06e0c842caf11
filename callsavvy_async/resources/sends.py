"""What a call that sends is: its resource, how many it takes, and what the API says of it.

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
"""Recipients that one sendWhatsapp call takes (API document: "Send WhatsApp Message"; quirk Q49)."""
USUAL_RECIPIENTS = 100
"""Recipients of one other call, where many are sent to: the API names no maximum, and what may become unknown stays small
(quirk Q44)."""

_DECIMALS = 4
"""Of a minute: the API documents no rule for fractions (quirk Q47), and money hangs on how it reads them."""


@attrs.frozen(kw_only=True)
class SendReceipt(Receipt):
    """What the API says of one send call: one status, one id and one cost for all its recipients (quirk Q40).

    "Accepted in a call" is all that this means: not delivered, and nothing about a single recipient. Anything that the
    API left out is None; WhatsApp answers neither id nor cost (quirk Q48).
    """

    message_id: str | None = None
    cost: Decimal | None = None
    """Units as reported; whether per call or per recipient is not documented (quirk Q41)."""
    status: SendStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the API took the call and says that the sending failed. It is not repeated: it may be charged."""
        return self.status is SendStatus.FAILED


SEND_SMS = Endpoint("sendSMS", SendReceipt, Effect.SPEND)
SEND_ROBOCALL = Endpoint("sendRobocall", SendReceipt, Effect.SPEND)
SEND_WHATSAPP = Endpoint("sendWhatsapp", SendReceipt, Effect.SPEND)


def format_minutes(duration: int | Decimal | timedelta, name: str = "duration_minutes") -> str:
    """Write a robocall's duration as the API wants it: minutes, as text.

    Raises:
        InvalidRequestError: when it is not more than 0, or has no short decimal form.
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
                return Decimal(repr(duration))  # 0.1, not the 55 digits of its binary form
            case _:
                return Decimal(duration)
    except (InvalidOperation, TypeError, ValueError):
        return Decimal("NaN")
