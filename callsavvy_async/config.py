"""Settings of a client, checked when the client is created."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.retry import RetryPolicy
from callsavvy_async.redaction import MASK, mask_key
from callsavvy_async.settings import check_setting
from callsavvy_async.tracebacks import private_arguments

BASE_URL = "https://api.getcallsavvy.com/v1"
"""Base URL of the API (API document: "URL Format"). The API has no staging host."""


_SHORTEST_SECRET = 8
"""Fewest characters of a key that is masked. Shorter keys occur in tests only, and might be part of a word."""


def _by_rule(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_setting(attribute.name, value)


@private_arguments
@attrs.frozen
class Credentials:
    """The two keys of an account (API document: "Authentication"). The repr masks them.

    Attributes:
        public_key: the API Public Key.
        private_key: the API Private Key.
    """

    public_key: str = attrs.field(validator=_by_rule, repr=lambda _: MASK)
    private_key: str = attrs.field(validator=_by_rule, repr=lambda _: MASK)

    def mask(self, text: str) -> str:
        """Mask both keys in a text. Some servers echo the request."""
        for key in (self.private_key, self.public_key):
            if len(key) >= _SHORTEST_SECRET:
                text = text.replace(key, MASK)
        return text

    SANDBOX: ClassVar[Credentials]
    """The API document's test keys. It does not say whether sandbox sends reach phones or cost money."""


Credentials.SANDBOX = Credentials(
    "TEST-hdo76HDCGAjfig4jbnyUI4734BNDY",
    "TEST-934HDHD84JDVBPSW73BYjegh494WD9084NFUih34-9974r",
)


def _without_slash(url: Any) -> Any:
    return url.rstrip("/") if isinstance(url, str) else url


def _show_names(extra: Mapping[str, object]) -> str:
    return f"<{', '.join(extra)}>"


@attrs.frozen(kw_only=True)
class RequestSettings:
    """Settings of a request. Each request may override them.

    Attributes:
        timeout: seconds for one attempt, connecting included.
        deadline: seconds for a request, with its waits and retries; None for no limit.
        retry: number and back-off of retries.
        extra: undocumented parameters, sent with every request.
        first_timeout: seconds for a first attempt that does not wait for its turn.
    """

    timeout: float = attrs.field(default=30.0, validator=_by_rule)
    deadline: float | None = attrs.field(default=300.0, validator=_by_rule)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    extra: Mapping[str, object] = attrs.field(factory=dict[str, object], validator=_by_rule, repr=_show_names)

    first_timeout: float = attrs.field(default=math.inf, init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        check_setting("max_retries", self.retry.max_retries)
        first = self.timeout if self.deadline is None else min(self.timeout, self.deadline)
        object.__setattr__(self, "first_timeout", first)  # worked out once, after the validators


@attrs.frozen
class Destination:
    """The account and server of a client.

    Attributes:
        account: identifier of the account: the first 16 hexadecimal digits of the SHA-256 of the public key.
        server: base URL of the API.
        key: the end of the public key, by which its owner recognises it; the rest is masked.
    """

    account: str
    server: str
    key: str = MASK


def _split_url(url: str) -> SplitResult:
    """Return the parts of a URL; empty parts if its brackets or its port are invalid."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for an invalid port
    except ValueError:
        return urlsplit("")
    return parts


@attrs.frozen(kw_only=True)
class Config:
    """The settings of a client.

    Attributes:
        credentials: the account's keys.
        base_url: URL of the API, including ``/v1``. Plain http is allowed only to loopback, unless `allow_insecure`.
        timezone: time zone of the API's naive times; None leaves them naive.
        max_response_bytes: largest response in bytes, after decompression.
        allow_insecure: allow plain http to any host, which sends the keys unencrypted.
        request: default settings of each request.
    """

    credentials: Credentials = attrs.field(validator=_by_rule)
    base_url: str = attrs.field(default=BASE_URL, converter=_without_slash, validator=_by_rule)
    timezone: tzinfo | None = attrs.field(default=None, validator=_by_rule)
    max_response_bytes: int = attrs.field(default=64 * 2**20, validator=_by_rule)
    allow_insecure: bool = attrs.field(default=False, validator=_by_rule)
    request: RequestSettings = attrs.field(factory=RequestSettings)

    def __attrs_post_init__(self) -> None:
        url = _split_url(self.base_url)
        if url.scheme not in {"http", "https"} or not url.hostname or url.username or url.query or url.fragment:
            raise ConfigurationError(
                f"base_url has the scheme {url.scheme!r} and the host {url.hostname!r}; it must look like {BASE_URL},"
                " without user, query or fragment."
            )
        if not re.fullmatch(r"[\x21-\x7e]+", self.base_url):
            raise ConfigurationError(
                f"base_url holds {re.sub(r'[!-~]', '', self.base_url)!r}, which is not allowed in a URL; write an"
                " international host in its ASCII form (xn--...), and percent-encode other characters."
            )
        if url.scheme == "http" and not self.allow_insecure and not _is_loopback(url.hostname):
            raise ConfigurationError(
                f"base_url is plain http to {url.hostname}, which would send the keys unencrypted. Use https, or pass"
                " allow_insecure=True."
            )

    @property
    def destination(self) -> Destination:
        """The account and server of the client."""
        account = hashlib.sha256(self.credentials.public_key.encode()).hexdigest()[:16]
        return Destination(account, self.base_url, mask_key(self.credentials.public_key))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def read_environment(environ: Mapping[str, str] = os.environ) -> tuple[Credentials, str]:
    """Read the keys and the base URL from CALLSAVVY_PUBLIC_KEY, CALLSAVVY_PRIVATE_KEY and CALLSAVVY_BASE_URL.

    Raises:
        ConfigurationError: a variable is missing.
    """
    names = ("CALLSAVVY_PUBLIC_KEY", "CALLSAVVY_PRIVATE_KEY")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ConfigurationError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; export the account's keys"
            " (dashboard, Settings -> API & Integration)."
        )
    return Credentials(*(environ[name] for name in names)), environ.get("CALLSAVVY_BASE_URL") or BASE_URL


def choose_credentials(credentials: Credentials | None, public_key: str | None, private_key: str | None) -> Credentials:
    """Return the credentials, given as one object or as two keys.

    Raises:
        ConfigurationError: neither form is complete, or both are given.
    """
    if credentials is not None and public_key is None and private_key is None:
        return credentials
    if credentials is None and public_key is not None and private_key is not None:
        return Credentials(public_key, private_key)
    missing = [name for name, key in (("public_key", public_key), ("private_key", private_key)) if key is None]
    lacks = f"{missing[0]} is None; " if len(missing) == 1 else ""
    raise ConfigurationError(
        f"{lacks}give either credentials=Credentials(...) or both public_key= and private_key=; or use"
        " Callsavvy.from_env()."
    )
