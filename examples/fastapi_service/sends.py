"""POST /sms: send one message and report its outcome.

Proxies and queues may retry a request after a 5xx. The service therefore responds with a 5xx only if a retry cannot
send twice. A send that may have been charged is a 2xx.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from callsavvy_async import (
    AuthenticationError,
    Callsavvy,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ServiceUnavailableError,
)


class Sms(BaseModel):
    """A message and its recipient."""

    recipient: str
    message: str


class SmsOutcome(BaseModel):
    """The outcome of a send."""

    outcome: Literal["accepted", "failed", "rejected", "not_sent", "unknown"]
    safe_to_resend: bool
    message_id: str | None = None
    cost: Decimal | None = None
    detail: str | None = None


def sends_router(client: Callsavvy) -> APIRouter:
    """Make the route."""
    router = APIRouter()

    @router.post("/sms")
    async def send_sms(sms: Sms, response: Response) -> SmsOutcome:
        """Send one SMS. 202 means that it may have been sent and charged: check the account before you resend it."""
        try:
            receipt = await client.messaging.send_sms(sms.recipient, sms.message)
        except InvalidRequestError as error:
            response.status_code = 422
            return SmsOutcome(outcome="not_sent", safe_to_resend=False, detail=str(error))
        except RequestError as error:
            response.status_code = status_of(error)
            if error.retry_after is not None:
                response.headers["Retry-After"] = str(math.ceil(error.retry_after))
            return SmsOutcome(outcome=error.outcome.value, safe_to_resend=error.safe_to_resend, detail=str(error))
        if receipt.failed:
            response.status_code = 202
        return SmsOutcome(
            outcome="failed" if receipt.failed else "accepted",
            safe_to_resend=False,
            message_id=receipt.message_id,
            cost=receipt.cost,
        )

    return router


def status_of(error: RequestError) -> int:
    """Return the HTTP status of an error, which decides whether the caller may retry."""
    match error:
        case OutcomeUnknownError():
            return 202
        case NotSentError() | RateLimitError() | ServiceUnavailableError():
            return 503  # not sent: the caller may retry later
        case AuthenticationError() | PermissionDeniedError():
            return 502  # this service is misconfigured
        case _:
            return 409  # rejected: the balance, the number
