"""Ask the API one thing, with the keys of the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import anyio

from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy, ClientOptions
from callsavvy_async.messages import Message
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.transport.hooks import HookEvent, LimitFound, LimitLost
from callsavvy_async.transport.shared.settings import SharedPacing

R = TypeVar("R")


def client_options(pace: Pace) -> ClientOptions:
    """Return the settings of a client that keeps a pace.

    Raises:
        InvalidRequestError: it contradicts itself.
    """
    pace.check()
    if pace.pacing is not None:
        shared = SharedPacing(pace.pacing, local=Adaptive(max_in_flight=pace.max_in_flight))
        return {"pacing": shared, "hooks": [_tell_of_limit], "timeout": pace.timeout}
    return {
        "rate": pace.rate,
        "burst": pace.burst,
        "max_in_flight": pace.max_in_flight,
        "timeout": pace.timeout,
    }


def _tell_of_limit(event: HookEvent) -> None:
    if isinstance(event, LimitLost | LimitFound):
        tell(f"callsavvy: {event}")


def call(ask: Callable[[Callsavvy], Awaitable[R]], client: Callsavvy | None = None) -> R:
    """Open a client, the environment's unless one is given, and await what `ask` asks of it."""
    callsavvy = Callsavvy.from_env() if client is None else client

    async def ask_once() -> R:
        async with callsavvy:
            return await ask(callsavvy)

    return anyio.run(ask_once)


def read_balance(message: Message, client: Callsavvy) -> Decimal | None:
    """Read the units at hand for a message; None where the API tells none (WhatsApp, or a balance that is no number)."""
    return message.balance(call(lambda callsavvy: callsavvy.account.summary(), client))
