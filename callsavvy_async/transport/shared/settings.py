"""The setting by which a client shares its limit with other processes, and what is made of it."""

from __future__ import annotations

import hashlib
import importlib
import os
import secrets
from contextlib import AbstractAsyncContextManager
from typing import cast
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate, per_second, positive_rate
from callsavvy_async.policy.pacer import at_least_one
from callsavvy_async.policy.shared import SharedPacer
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.reservation_client import ReservationClient
from callsavvy_async.transport.shared.reservation_store import ReservationStore

_REDIS, _POSTGRES = ("redis", "coredis"), ("postgres", "psycopg")
_EXTRAS = {
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), _REDIS),
    **dict.fromkeys(("postgresql", "postgres"), _POSTGRES),
}
"""Schemes of URLs: the extra that they need, which is also the name of the module here; and the package behind it."""


def _check_url(_: object, __: attrs.Attribute[str], url: str) -> None:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) or _EXTRAS.get(parts.scheme) is _POSTGRES  # which has a host by default
        whole = parts.scheme in _EXTRAS and has_host and parts.port != 0
        if _EXTRAS.get(parts.scheme) is _POSTGRES and parts.netloc.count("@") > 1:
            whole = False  # libpq ends the password at the first, and tells the rest as a host that it cannot find
    except ValueError:  # brackets or a port that make no sense
        whole = False
    if not whole:
        raise ConfigurationError(
            "the URL of a shared limit must look like redis://host:6379/0, rediss://, valkey:// or"
            " postgresql://user@host/database; this one does not."  # and is not shown: it may hold a password
        )


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return repr(f"{parts.scheme}://{(parts.netloc).rpartition('@')[2]}{parts.path}")


@attrs.frozen
class SharedPacing:
    """Share one limit with every other process that has the same account and the same URL.

    Args:
        url: of what keeps the limit: ``redis://``, ``rediss://`` or ``valkey://`` (extra ``redis``), or ``postgresql://``
            (extra ``postgres``).
        local: what the limit is: `Adaptive` finds it, `FixedRate` knows it. Caps on what is in flight stay those of each
            process.
        name: of the limit; limits that differ in name are apart. By default the name of the endpoint it is given for, of
            several the first in the alphabet.
        block: most requests that are reserved at a time.
        share: requests per time that this process may make while it has never reached the URL.

    Raises:
        ConfigurationError: naming the value that cannot work.
    """

    url: str = attrs.field(validator=_check_url, repr=_without_secrets)
    local: Adaptive | FixedRate = attrs.field(factory=Adaptive, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    block: int = attrs.field(default=10, validator=at_least_one, kw_only=True)
    share: float = attrs.field(default=1.0, converter=per_second, validator=positive_rate, kw_only=True)


def share_limit(shared: SharedPacing, account: str, name: str, hooks: Hooks) -> tuple[RateLimiter, ReservationClient]:
    """Make the limiter of one process, and what keeps it in touch with the others.

    Args:
        shared: what was asked for.
        account: whose limit it is. Only a hash of it leaves the process.
        name: of the limit, if it has none of its own.
        hooks: told when the others are out of reach.

    Raises:
        ConfigurationError: an extra is not installed.
    """
    extra, package = _EXTRAS[urlsplit(shared.url).scheme]
    try:
        module = importlib.import_module(f"callsavvy_async.transport.shared.{extra}")
    except ImportError as error:
        raise ConfigurationError(
            f"a limit that is shared by this URL needs {package}, which is not installed or does not work here:"
            f" pip install 'callsavvy-async[{extra}]'."
        ) from error
    name = shared.name or name
    row = hashlib.sha256(f"{account}\n{name}".encode()).hexdigest()[:32]
    local = shared.local
    pacer = SharedPacer(
        max_in_flight=local.max_in_flight,
        block=shared.block,
        share=shared.share,
        known=(local.rate, local.burst) if isinstance(local, FixedRate) else None,
    )
    limiter = RateLimiter(pacer)
    token = secrets.token_hex(8)

    def connect() -> AbstractAsyncContextManager[ReservationStore]:
        process = f"{token}-{os.getpid()}"  # a fork is another process, and has the same token
        return cast("AbstractAsyncContextManager[ReservationStore]", module.connect(shared.url, row, process))

    return limiter, ReservationClient(limiter, pacer, connect, name, hooks)
