"""Options of a single request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import attrs

from callsavvy_async.config import RequestSettings
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.settings import check_setting


class RequestOptions(TypedDict, total=False):
    """Keyword options of every method.

    Attributes:
        timeout: Seconds for one attempt, including the connection.
        deadline: Seconds for the whole request, including waits and retries; None for no deadline.
        max_retries: Maximum number of retries after failures that are proved safe to retry.
        extra: Undocumented parameters of the API, sent unchanged.
    """

    timeout: float
    deadline: float | None
    max_retries: int
    extra: Mapping[str, object]


def apply_options(settings: RequestSettings, options: RequestOptions) -> RequestSettings:
    """Override the client's settings with a request's options. `extra` is merged; the request's values win.

    Raises:
        ConfigurationError: An option does not exist, or its value is out of range.
    """
    if not options:
        return settings
    refuse_unknown(options, _NAMES, kind="option", where="a request")
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


_NAMES = RequestOptions.__annotations__.keys()
