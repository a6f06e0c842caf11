"""Options of a single request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import attrs

from callsavvy_async.config import RequestSettings
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.settings import check_setting


class RequestOptions(TypedDict, total=False):
    """Keyword options of every method.

    Attributes:
        timeout: Seconds for one attempt, including the connection.
        deadline: Seconds for the whole request, including waits and retries; None for no deadline.
        max_retries: Maximum number of retries after failures that are proved safe to retry.
        extra: Undocumented parameters of the API, sent unchanged.
        key: Name of the intent, such as ``"order-17-shipped"``. All requests of one key and account become one; the later
            ones return the receipt of the first. Needs a client with a journal, and a request that creates or charges.
    """

    timeout: float
    deadline: float | None
    max_retries: int
    extra: Mapping[str, object]
    key: str


def apply_options(settings: RequestSettings, options: RequestOptions) -> RequestSettings:
    """Override the client's settings with a request's options. `extra` is merged; the request's values win.

    Raises:
        ConfigurationError: An option does not exist, or its value is out of range.
    """
    if not options:
        return settings
    refuse_unknown(options, _NAMES, kind="option", where="a request")
    refuse_key(options, "settings of several requests")
    extra, retry = options.get("extra"), settings.retry
    if "max_retries" in options:
        retry = attrs.evolve(retry, max_retries=options["max_retries"])
    check_setting("extra", extra)
    return RequestSettings(
        timeout=options.get("timeout", settings.timeout),
        deadline=options.get("deadline", settings.deadline),
        retry=retry,
        extra={**settings.extra, **extra} if extra else settings.extra,
    )


def check_key(key: object) -> None:
    """Check a request's key. The error does not show it, because it may hold personal data.

    Raises:
        ConfigurationError: It is not a text, empty, too long, or contains a character that cannot be printed.
    """
    if not (isinstance(key, str) and 0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        kind = f"of {len(key)} characters" if isinstance(key, str) else f"of the type {type(key).__name__}"
        raise ConfigurationError(
            f"key is {kind}; it must be a text of 1 to {_LONGEST_KEY} printable characters, such as 'order-17-shipped'."
        )


def refuse_key(options: RequestOptions, where: str) -> None:
    """Refuse a key where several requests would share it.

    Raises:
        ConfigurationError: The options contain a key.
    """
    if "key" in options:
        raise ConfigurationError(f"{where} cannot have a key=, which belongs to one request; pass it to the method.")


_LONGEST_KEY = 255
_NAMES = RequestOptions.__annotations__.keys()
