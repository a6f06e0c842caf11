"""Ask the API one thing, with the keys of the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from decimal import Decimal
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.bulk.plan import Channel, Plan
from callsavvy_async.cli.books import books
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy, ClientOptions
from callsavvy_async.config import Credentials
from callsavvy_async.phone_numbers import calling_code
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.resources.account import Summary
from callsavvy_async.transport.hooks import HookEvent, LimitFound, LimitLost
from callsavvy_async.transport.shared.settings import SharedPacing
from callsavvy_async.transport.watch import Watch, watching

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
    if isinstance(event, LimitLost | LimitFound):
        tell(f"callsavvy: {event}")


def open_client(options: ClientOptions | None = None, credentials: Credentials | None = None) -> Callsavvy:
    """Make a client that writes to the books what its requests come to.

    With the keys of the environment it goes the way that --proxy says; `credentials` are a simulator's, which is near.
    """
    settings: ClientOptions = {} if options is None else options
    settings["hooks"] = [*settings.get("hooks", ()), books().note]
    if credentials is not None:
        return Callsavvy(credentials, **settings)
    settings["proxy"] = chosen_proxy.get()
    return Callsavvy.from_env(**settings)


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
            with stopping_on_signals(change), change.scope, watching(change.watch):
                return await ask(callsavvy)
        raise KeyboardInterrupt

    return anyio.run(ask_once)


@attrs.frozen
class _Change:
    """A request that is not left alone once it is on the wire."""

    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    watch: Watch = attrs.field(factory=lambda: Watch(shield=True))

    def stop(self) -> None:
        """Send nothing more, and wait for what is on the wire."""
        self.scope.cancel()

    def abandon(self) -> None:
        """Do not wait either."""
        self.watch.abandon()


def read_balance(channel: Channel, client: Callsavvy | None = None) -> Callable[[Plan], Decimal | None]:
    """Read the balances, and return what says how many units are at hand for a plan.

    It says None where the API reports none: for WhatsApp, or a balance that is no number.
    """
    summary = call(lambda callsavvy: callsavvy.account.summary(), client)
    match channel:
        case "sms":
            return lambda _: summary.sms_balance
        case "robocall":
            return lambda plan: _minutes_for(plan, summary)
        case "whatsapp":
            return lambda _: None


def _minutes_for(plan: Plan, summary: Summary) -> Decimal | None:
    """Return the minutes at hand for the destinations of a plan: those within the country and those abroad are kept apart.

    The document says that a call is deducted from either "depending on the call destination", and names the account's own
    number: what shares its country calling code is local. Where that is not known, only what both balances cover is sure.
    """
    local, abroad = summary.outbound_local_call_balance, summary.outbound_international_call_balance
    if local is None or abroad is None or plan.estimated_units is None:
        return None
    own = summary.assigned_number or ""
    if not own.startswith("+"):
        return min(local, abroad)
    for_local = plan.estimated_units * plan.calling_codes.get(calling_code(own), 0) / max(plan.recipients, 1)
    for_abroad = plan.estimated_units - for_local
    if for_local <= local and for_abroad <= abroad:
        return sum((have for need, have in ((for_local, local), (for_abroad, abroad)) if need), Decimal(0))
    return min(for_local, local) + min(for_abroad, abroad)
