"""Clients of the command line, with the keys of `access.py`, and single requests with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar, Unpack

import anyio
import attrs

from callsavvy_async.cli.access import Access, find_access
from callsavvy_async.cli.activity import current_activity
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.client_options import ClientOptions
from callsavvy_async.config import Credentials
from callsavvy_async.errors import AuthenticationError, RequestError
from callsavvy_async.messages import Message
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.transport.hooks import HookEvent, SharedLimitLost, SharedLimitRestored
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.request_context import RequestContext, tracking
from callsavvy_async.transport.shared.settings import SharedPacing

if TYPE_CHECKING:
    from callsavvy_async.cli.options import Pace

R = TypeVar("R")

_PATIENCE = 10.0
"""Seconds to wait for a balance that is only shown."""

chosen_proxy: ContextVar[str | None] = ContextVar("callsavvy_proxy", default=None)
"""Value of --proxy in the running command."""


def client_options(pace: Pace) -> ClientOptions:
    """Return the client options for the given rate options.

    Raises:
        InvalidRequestError: two options contradict each other.
    """
    pace.check()
    if pace.pacing is not None:
        shared = SharedPacing(pace.pacing, local=Adaptive(max_in_flight=pace.max_in_flight))
        return {"pacing": shared, "hooks": [_report_shared_limit], "timeout": pace.timeout}
    return {
        "rate": pace.rate,
        "burst": pace.burst,
        "max_in_flight": pace.max_in_flight,
        "timeout": pace.timeout,
    }


def _report_shared_limit(event: HookEvent) -> None:
    if isinstance(event, SharedLimitLost | SharedLimitRestored):
        tell(f"callsavvy: {event}")


def open_client(credentials: Credentials | None = None, **options: Unpack[ClientOptions]) -> Callsavvy:
    """Create a client that counts its requests in the command's activity.

    Args:
        credentials: Keys of a simulator. If None, use the keys and the server of the command, and --proxy.
        **options: See `Callsavvy`.
    """
    if credentials is None:
        return client_of(find_access(), **options)
    options["hooks"] = [*options.get("hooks", ()), current_activity().note]
    return Callsavvy(credentials, **options)


def client_of(access: Access, **options: Unpack[ClientOptions]) -> Callsavvy:
    """Create a client of an account, with --proxy. Count its requests in the command's activity."""
    options["hooks"] = [*options.get("hooks", ()), current_activity().note]
    settings: ClientOptions = {"base_url": access.base_url, "proxy": chosen_proxy.get(), **options}
    return Callsavvy(access.credentials, **settings)


def read(request: Callable[[Callsavvy], Awaitable[R]], client: Callsavvy | None = None) -> R:
    """Open the given or a new client, and make a request that only reads."""
    callsavvy = client or open_client()

    async def read_once() -> R:
        async with callsavvy:
            return await request(callsavvy)

    return anyio.run(read_once)


def carry_out(request: Callable[[Callsavvy], Awaitable[R]]) -> R:
    """Open a client and make a request that changes something.

    At the first signal, wait for the response if the request is in flight. At the second, stop waiting.

    Raises:
        KeyboardInterrupt: a signal arrived before the request left.
    """
    callsavvy = open_client()

    async def change_once() -> R:
        async with callsavvy:
            change = _Change()
            with stopping_on_signals(change), change.scope, tracking(change.context):
                return await request(callsavvy)
        raise KeyboardInterrupt

    return anyio.run(change_once)


@attrs.frozen
class _Change:
    """A request that, once in flight, is cancelled only by `abandon`."""

    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    context: RequestContext = attrs.field(factory=lambda: RequestContext(shield=True))

    def stop(self) -> None:
        """Start no more attempts, and wait for the one in flight."""
        self.scope.cancel()

    def abandon(self) -> None:
        """Stop waiting; the request becomes unknown."""
        self.context.abandon()


def account_of(client: Callsavvy) -> str:
    """Return the account that pays for a client's requests, in words, with the end of its public key."""
    return f"key {client.destination.key} at {client.destination.server}"


def read_balance(message: Message, client: Callsavvy, *, needed: bool = True) -> Decimal | None:
    """Read the balance for a message's channel; None if the API reports none (WhatsApp) or not a number.

    Args:
        message: The message.
        client: Client of the account.
        needed: False to go on without the balance if it cannot be read. Wrong keys raise in any case.
    """
    if not (needed or message.is_priced):
        return None
    options: RequestOptions = {} if needed else {"deadline": _PATIENCE}
    try:
        return message.balance(read(lambda callsavvy: callsavvy.account.summary(**options), client))
    except RequestError as error:
        if needed or isinstance(error, AuthenticationError):
            raise
        tell(f"callsavvy: the balance cannot be read: {error}")
        return None
