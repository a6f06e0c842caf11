"""Ask the API one thing, with the keys of the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from decimal import Decimal
from typing import TypeVar, Unpack

import anyio
import attrs

from callsavvy_async.cli.books import books
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.client_options import ClientOptions
from callsavvy_async.config import Credentials
from callsavvy_async.messages import Message
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.transport.hooks import HookEvent, SharedLimitLost, SharedLimitRestored
from callsavvy_async.transport.request_context import RequestContext, tracking
from callsavvy_async.transport.shared.settings import SharedPacing

R = TypeVar("R")

chosen_proxy: ContextVar[str | None] = ContextVar("callsavvy_proxy", default=None)
"""What --proxy says in the running command."""


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
    if isinstance(event, SharedLimitLost | SharedLimitRestored):
        tell(f"callsavvy: {event}")


def open_client(credentials: Credentials | None = None, **options: Unpack[ClientOptions]) -> Callsavvy:
    """Make a client whose requests are in the books.

    Args:
        credentials: of a simulator; those of the environment, by the way that --proxy says, when None.
        **options: see `Callsavvy`.
    """
    options["hooks"] = [*options.get("hooks", ()), books().note]
    if credentials is not None:
        return Callsavvy(credentials, **options)
    options["proxy"] = chosen_proxy.get()
    return Callsavvy.from_env(**options)


def call(ask: Callable[[Callsavvy], Awaitable[R]], client: Callsavvy | None = None) -> R:
    """Open a client, the environment's unless one is given, and await what `ask` asks of it: to read."""
    callsavvy = client or open_client()

    async def ask_once() -> R:
        async with callsavvy:
            return await ask(callsavvy)

    return anyio.run(ask_once)


def carry_out(ask: Callable[[Callsavvy], Awaitable[R]]) -> R:
    """Open a client and await what `ask` asks of it: to change something.

    The first signal waits for the answer to a request that has left, the second does not.

    Raises:
        KeyboardInterrupt: a signal came before anything left.
    """
    callsavvy = open_client()

    async def ask_once() -> R:
        async with callsavvy:
            change = _Change()
            with stopping_on_signals(change), change.scope, tracking(change.context):
                return await ask(callsavvy)
        raise KeyboardInterrupt

    return anyio.run(ask_once)


@attrs.frozen
class _Change:
    """A request that is not left alone once it is on the wire."""

    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    context: RequestContext = attrs.field(factory=lambda: RequestContext(shield=True))

    def stop(self) -> None:
        """Send nothing more, and wait for what is on the wire."""
        self.scope.cancel()

    def abandon(self) -> None:
        """Do not wait either."""
        self.context.abandon()


def read_balance(message: Message, client: Callsavvy) -> Decimal | None:
    """Read the units at hand for a message; None where the API tells none (WhatsApp, or a balance that is no number)."""
    return message.balance(call(lambda callsavvy: callsavvy.account.summary(), client))
