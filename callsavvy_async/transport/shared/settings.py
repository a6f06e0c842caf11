"""The setting `SharedPacing`. A client without one imports nothing else of this folder."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate, per_second, positive_rate
from callsavvy_async.policy.pacer import at_least_one

_REDIS, _POSTGRES = ("redis", "coredis"), ("postgres", "psycopg")
EXTRAS = {
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), _REDIS),
    **dict.fromkeys(("postgresql", "postgres"), _POSTGRES),
}
"""By URL scheme: the extra, which is also the name of a module in this package, and the package that it installs."""


def _is_whole(parts: SplitResult) -> bool:
    extra = EXTRAS.get(parts.scheme)
    if extra is None or parts.port == 0:
        return False
    if extra is _POSTGRES:  # has a default host; libpq ends the password at the first @, and its error shows the rest
        return parts.netloc.count("@") <= 1
    return bool(parts.hostname)


def _check_url(_: object, __: attrs.Attribute[str], url: str) -> None:
    try:
        whole = _is_whole(urlsplit(url))
    except ValueError:  # malformed brackets or port
        whole = False
    if not whole:
        raise ConfigurationError(
            "the URL of a shared limit must look like redis://host:6379/0, rediss://, valkey:// or"
            " postgresql://user@host/database; this one does not."  # not shown: it may contain a password
        )


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return repr(f"{parts.scheme}://{(parts.netloc).rpartition('@')[2]}{parts.path}")


@attrs.frozen
class SharedPacing:
    """Share one limit with all processes that have the same account and the same URL.

    Args:
        url: URL of the server that stores the limit: ``redis://``, ``rediss://`` or ``valkey://`` (extra ``redis``), or
            ``postgresql://`` (extra ``postgres``).
        local: `Adaptive` to find the limit, `FixedRate` to configure it. `max_in_flight` applies to each process.
        name: Name of the limit. Limits with different names are separate. The default is the endpoint that has this
            pacing; the alphabetically first of several.
        block: Maximum number of requests in a reservation.
        share: Rate of this process if it has never reached the URL, in requests per second or as ``"1/s"``.

    Raises:
        ConfigurationError: A value is invalid; the text names it.
    """

    url: str = attrs.field(validator=_check_url, repr=_without_secrets)
    local: Adaptive | FixedRate = attrs.field(factory=Adaptive, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    block: int = attrs.field(default=10, validator=at_least_one, kw_only=True)
    share: float = attrs.field(default=1.0, converter=per_second, validator=positive_rate, kw_only=True)
