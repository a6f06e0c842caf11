"""What a call that sends is: its resource, how many it takes, and what the API says of it.

API document: "Send SMS Message", "Send Voice Message", "Send WhatsApp Message".
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from callsavvy_async.values import SendStatus
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Receipt

MAX_WHATSAPP_RECIPIENTS = 30
"""Recipients that one sendWhatsapp call takes (API document: "Send WhatsApp Message"; quirk Q49)."""
USUAL_RECIPIENTS = 100
"""Recipients of one other call, where many are sent to: the API names no maximum, and what may become unknown stays small
(quirk Q44)."""


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
