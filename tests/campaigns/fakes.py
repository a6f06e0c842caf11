"""A client that sends nothing, and journals to run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import anyio
import attrs

from callsavvy_async.config import Destination
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.resources.account import Summary
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.rate_limiters import RateLimiters
from callsavvy_async.transport.request_context import current_context
from callsavvy_async.values import SendStatus
from callsavvy_async.wire.failure import ExchangeFailedError
from tests.bulk.fakes import unknown


def accept(numbers: list[str]) -> SendReceipt:
    """Accept a call at one unit for each number."""
    return SendReceipt(message_id="m", cost=Decimal(len(numbers)), status=SendStatus.SENT)


class FakeClient:
    """Looks like a `Callsavvy` to a campaign. `script` gets the numbers of a call, and returns a receipt or raises."""

    def __init__(self, script: Callable[[list[str]], SendReceipt] = accept, *, balance: object = Decimal(1000)) -> None:
        self.script = script
        self.balance = balance
        self.calls: list[list[str]] = []
        self.texts: list[str] = []
        self.reached: Counter[str] = Counter()
        self.on_wire: Callable[[], object] | None = None
        self.hang = False
        self.seconds = 0.0
        self.refused = 0
        self.on_wait: Callable[[], object] | None = None
        self.pacing = RateLimiters(Adaptive())
        self.destination = Destination("an-account", "https://api.example/v1")

    @property
    def messaging(self):
        return self

    @property
    def account(self):
        return self

    async def summary(self):
        if isinstance(self.balance, Exception):
            raise self.balance
        return Summary(sms_balance=self.balance)

    async def send_sms(self, recipients, message, **options):
        numbers = list(recipients)
        watch = current_context.get()
        assert watch is not None
        for _ in range(self.refused):
            await watch.about_to_send("00ff")
            await watch.about_to_wait()
            if self.on_wait is not None:
                self.on_wait()
        await watch.about_to_send("00ff")
        try:
            with watch.exchanging():
                self.calls.append(numbers)
                self.texts.append(message)
                self.reached.update(numbers)
                if self.on_wire is not None:
                    self.on_wire()
                await (anyio.sleep_forever() if self.hang else anyio.sleep(self.seconds))
        except ExchangeFailedError:
            raise unknown() from None
        watch.completed()
        return self.script(numbers)

    send_whatsapp = send_sms

    async def send_robocall(self, recipients, **options):
        return await self.send_sms(recipients, str(options.get("text") or options.get("audio_url")))


@attrs.frozen
class Raising:
    """A script that raises."""

    error: Exception

    def __call__(self, _: list[str]) -> SendReceipt:
        raise self.error


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"+23480{n:08d}" for n in range(start, start + count)]
