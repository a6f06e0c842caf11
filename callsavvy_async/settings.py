"""Rules for the settings of a client.

Settings are checked by type, never by truth: an unset environment variable reads as None or "", and must not switch anything
off.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import ConfigurationError


def check_settings(**settings: object) -> None:
    """Check settings of a client; see `check_setting`."""
    for name, value in settings.items():
        check_setting(name, value)


def check_setting(name: str, value: object) -> None:
    """Check one setting of a client.

    Raises:
        ConfigurationError: the setting breaks its rule. The error does not show values that may hold a secret.
    """
    rule = RULES[name]
    if rule.holds(value):
        return
    others = (other for other in _BROUGHT if name in _BROUGHT and RULES[other].holds(value))
    fix = next((f" Give it as {other}=." for other in others), "")
    if value is None or value == "":
        fix = " Perhaps it comes from an environment variable that is not set."
    raise ConfigurationError(f"{name} is {_show(value, private=rule.private)}; it must be {rule.words}.{fix}")


@attrs.frozen
class Rule:
    """Rule of a setting: a test, its description, and whether the value may hold a secret."""

    holds: Callable[[Any], bool]
    words: str
    private: bool = False


def _show(value: object, *, private: bool) -> str:
    if value is None or isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return "empty" if not value else "a text that breaks the rule" if private else repr(value[:80])
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if any(getattr(value, name, None) is True for name in _CLOSED):
        return "closed"
    kind = type(value)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"an instance of {home}{kind.__qualname__}"


_CLOSED = ("is_closed", "closed")
"""Attributes that tell whether an httpx.AsyncClient or an aiohttp.ClientSession is closed."""


def _is_seconds(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(value) > 0.0
    except OverflowError:
        return False


def _is_count(least: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _or_none(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or holds(value)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]+", value) is not None


def _is_open(name: str, *packages: str) -> Callable[[object], bool]:
    """Return a test for an open instance of a class. It compares names, so that the package need not be imported."""

    def holds(value: object) -> bool:
        classes = value.__class__.__mro__  # a mock's __class__ is the class that it replaces
        is_one = any(one.__name__ == name and one.__module__.partition(".")[0] in packages for one in classes)
        return is_one and not any(getattr(value, closed, None) is True for closed in _CLOSED)

    return holds


def _has(value: object, *names: str) -> bool:
    return not isinstance(value, type) and all(hasattr(value, name) for name in names)


def _is_pacing(value: object) -> bool:
    if isinstance(value, Mapping):
        each = cast("Mapping[object, object]", value)
        return all(
            isinstance(name, str) and not isinstance(one, Mapping) and _is_pacing(one) for name, one in each.items()
        )
    if isinstance(value, str):
        return "://" in value
    return _has(value, "delay", "sent", "done", "snapshot", "restore") or _has(value, "url", "local")


def _is_proxy(value: object) -> bool:
    if not isinstance(value, str) or value == FROM_ENVIRONMENT:
        return value == FROM_ENVIRONMENT
    try:
        url = urlsplit(value)
        return url.scheme in PROXY_SCHEMES and bool(url.hostname) and url.port != 0
    except ValueError:  # invalid brackets or port
        return False


FROM_ENVIRONMENT = "env"
"""Setting for the proxy of the environment variables."""
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

_BROUGHT = ("http_client", "transport", "session")
_COUNT = "a whole number, 1 or more"
_KEY = Rule(_is_key, "ASCII without blanks; copy it from the dashboard, Settings -> API & Integration", private=True)

RULES: Mapping[str, Rule] = {
    "credentials": Rule(
        lambda value: _has(value, "public_key", "private_key"), "Credentials(public_key, private_key)", private=True
    ),
    "public_key": _KEY,
    "private_key": _KEY,
    "base_url": Rule(lambda value: isinstance(value, str), "a URL such as https://api.example/v1", private=True),
    "timeout": Rule(_is_seconds, "a number of seconds above 0"),
    "deadline": Rule(_or_none(_is_seconds), "a number of seconds above 0, or None for no limit"),
    "max_retries": Rule(_is_count(0), "a whole number, 0 or more"),
    "timezone": Rule(
        lambda value: value is None or isinstance(value, tzinfo),
        "None or a tzinfo such as zoneinfo.ZoneInfo('Africa/Lagos')",
    ),
    "max_response_bytes": Rule(_is_count(1), _COUNT),
    "allow_insecure": Rule(lambda value: isinstance(value, bool), "True or False"),
    "pacing": Rule(
        _or_none(_is_pacing),
        "a pacer such as Adaptive(), a SharedPacing, or its URL, which must look like redis://host:6379/0 or"
        " postgresql://user@host/database; or a mapping from endpoints to these",
        private=True,
    ),
    "rate": Rule(lambda value: value is None or isinstance(value, str), "None or requests per time, such as '10/s'"),
    "burst": Rule(_is_count(1), _COUNT),
    "max_in_flight": Rule(_or_none(_is_count(1)), _COUNT),
    "hooks": Rule(
        lambda value: (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(callable(hook) for hook in cast("Sequence[object]", value))
        ),
        "a list of functions",
    ),
    "extra": Rule(
        lambda value: (
            value is None
            or (
                isinstance(value, Mapping)
                and all(isinstance(name, str) for name in cast("Mapping[object, object]", value))
            )
        ),
        "a mapping from names to parameters",
        private=True,
    ),
    "journal": Rule(
        lambda value: value is None or (isinstance(value, str) and "://" in value) or _has(value, "campaign", "keys"),
        "a URL, such as sqlite:///sends.db or postgresql://user@host/database, an open Journal, or None",
        private=True,
    ),
    "http_client": Rule(_or_none(_is_open("AsyncClient", "httpx", "httpx2")), "an open httpx.AsyncClient, or httpx2's"),
    "transport": Rule(
        _or_none(_is_open("AsyncBaseTransport", "httpx", "httpx2")), "an httpx.AsyncBaseTransport, or httpx2's"
    ),
    "session": Rule(_or_none(_is_open("ClientSession", "aiohttp")), "an open aiohttp.ClientSession"),
    "backend": Rule(
        lambda value: (isinstance(value, str) and bool(value)) or _has(value, "exchange", "aclose", "is_open"),
        "the name of a backend, such as 'auto', or an object with exchange(), aclose() and is_open",
    ),
    "verify": Rule(
        lambda value: (
            isinstance(value, bool | ssl.SSLContext | os.PathLike) or (isinstance(value, str) and bool(value))
        ),
        "True, False, an ssl.SSLContext, or the path of a file or directory of certificates",
    ),
    "proxy": Rule(
        _or_none(_is_proxy),
        f"the URL of a proxy, such as http://proxy.example:3128, '{FROM_ENVIRONMENT}', or None",
        private=True,
    ),
}
"""Rule of each setting of `Callsavvy`."""
