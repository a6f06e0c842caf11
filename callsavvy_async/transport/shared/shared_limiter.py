"""The rate limiter of a shared limit, built from the setting `SharedPacing`."""

from __future__ import annotations

import hashlib
import importlib
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import cast
from urllib.parse import urlsplit

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.policy.shared import SharedPacer
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.reservation_client import ReservationClient
from callsavvy_async.transport.shared.reservation_store import ReservationStore
from callsavvy_async.transport.shared.settings import EXTRAS, SharedPacing


def _store_of(url: str) -> Callable[[str, str, str], AbstractAsyncContextManager[ReservationStore]]:
    """Return what opens a row, by the URL, the row and the process."""
    extra, package = EXTRAS[urlsplit(url).scheme]
    try:
        module = importlib.import_module(f"callsavvy_async.transport.shared.{extra}")
    except ImportError as error:
        raise ConfigurationError(
            f"a shared limit with this URL needs {package}, which cannot be imported."
            f" Install it: pip install 'callsavvy-async[{extra}]'."
        ) from error
    return cast("Callable[[str, str, str], AbstractAsyncContextManager[ReservationStore]]", module.connect)


async def reach(shared: SharedPacing) -> None:
    """Connect to the server of a shared limit, and disconnect. No limit changes.

    Raises:
        ConfigurationError: An extra is not installed.
        UnreachableError: The server cannot be reached, or rejects the user.
    """
    async with _store_of(shared.url)(shared.url, "", ""):
        pass


def share_limit(shared: SharedPacing, account: str, name: str, hooks: Hooks) -> tuple[RateLimiter, ReservationClient]:
    """Create the rate limiter of this process, and the client of the shared row.

    Args:
        shared: The setting.
        account: Public key of the account. Only a hash of it leaves the process.
        name: Default name of the limit.
        hooks: Receive the loss and the return of the row.

    Raises:
        ConfigurationError: An extra is not installed.
    """
    open_row = _store_of(shared.url)
    name = shared.name or name
    row = hashlib.sha256(f"{account}\n{name}".encode()).hexdigest()[:32]
    local = shared.local
    pacer = SharedPacer(
        max_in_flight=local.max_in_flight,
        block=shared.block,
        share=shared.share,
        known=(local.rate, local.burst) if isinstance(local, FixedRate) else None,
        new_version=partial(secrets.token_hex, 8),
    )
    limiter = RateLimiter(pacer)
    token = secrets.token_hex(8)

    def connect() -> AbstractAsyncContextManager[ReservationStore]:
        process = f"{token}-{os.getpid()}"  # a fork has the same token
        return open_row(shared.url, row, process)

    return limiter, ReservationClient(limiter, pacer, connect, name, hooks)
