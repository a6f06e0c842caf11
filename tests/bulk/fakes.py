"""A stand-in for the messaging methods that bulk sends through: it answers as scripted and remembers what it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import anyio

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.errors import (
    BadRequestError,
    InsufficientBalanceError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RequestError,
)
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.request_context import current_context
from callsavvy_async.values import SendStatus
from callsavvy_async.wire.failure import ExchangeFailedError

ACCEPT = SendReceipt(message_id="m", cost=Decimal(1), status=SendStatus.SENT)
FAIL = SendReceipt(message_id="m", cost=Decimal(1), status=SendStatus.FAILED)


def unknown() -> RequestError:
    return OutcomeUnknownError("status 502", endpoint="sendSMS", outcome=Outcome.UNKNOWN, status_code=502)


def not_sent() -> RequestError:
    return NotSentError("no connection", endpoint="sendSMS", outcome=Outcome.NOT_SENT)


def rejected(message: str = "Malformed", kind: type[RequestError] = BadRequestError, status: int = 422) -> RequestError:
    return kind(str(status), endpoint="sendSMS", outcome=Outcome.REJECTED, status_code=status, message=message)


def no_balance() -> RequestError:
    return rejected("Insufficient SMS balance", InsufficientBalanceError)


class FakeMessaging:
    """Sends nothing. `script` is called with the numbers of a call, and returns a receipt or raises."""

    def __init__(self, script: Callable[[list[str]], SendReceipt] = lambda _: ACCEPT, seconds: float = 1.0) -> None:
        self.script = script
        self.seconds = seconds
        self.calls: list[list[str]] = []
        self.texts: list[str] = []
        self.options: list[dict[str, object]] = []
        self.reached: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0

    async def send_sms(self, recipients, message, **options) -> SendReceipt:
        numbers = list(recipients)
        await anyio.lowlevel.checkpoint()  # where a real send waits for its turn
        watch = current_context.get()
        assert watch is not None
        await watch.about_to_send("00ff")
        try:
            with watch.exchanging():  # from here on it is on the wire
                self.calls.append(numbers)
                self.texts.append(message)
                self.options.append(options)
                self.reached.update(numbers)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                try:
                    await anyio.sleep(self.seconds)
                finally:
                    self.in_flight -= 1
        except ExchangeFailedError:
            raise unknown() from None
        finally:
            watch.completed()
        return self.script(numbers)

    send_whatsapp = send_sms

    async def send_robocall(self, recipients, **options) -> SendReceipt:
        return await self.send_sms(recipients, str(options.get("text") or options.get("audio_url")), **options)


def bulk_over(messaging: FakeMessaging) -> Bulk:
    return Bulk(messaging)  # type: ignore[arg-type]


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"+23480{n:08d}" for n in range(start, start + count)]
