"""What every request may be told beside its own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import attrs

from callsavvy_async.config import RequestSettings
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.settings import check_setting


class RequestOptions(TypedDict, total=False):
    """Keyword options that every method takes.

    Attributes:
        timeout: seconds for one attempt, connecting included.
        deadline: seconds for the whole request, waiting and repeats included; None for no end.
        max_retries: repeats after a failure that is proved safe to repeat.
        extra: undocumented parameters of the API, sent as they are.
    """

    timeout: float
    deadline: float | None
    max_retries: int
    extra: Mapping[str, object]


def apply_options(settings: RequestSettings, options: RequestOptions) -> RequestSettings:
    """Lay a request's options over the client's settings; extras add up, the request's win.

    Raises:
        ConfigurationError: for an option that does not exist or a value out of range.
    """
    if not options:
        return settings
    refuse_unknown(options, _NAMES, kind="option", where="a request")
    retries = options.get("max_retries", settings.retry.max_retries)
    extra = options.get("extra")
    check_setting("extra", extra)
    return RequestSettings(
        timeout=options.get("timeout", settings.timeout),
        deadline=options.get("deadline", settings.deadline),
        retry=settings.retry
        if retries == settings.retry.max_retries
        else attrs.evolve(settings.retry, max_retries=retries),
        extra={**settings.extra, **extra} if extra else settings.extra,
    )


_NAMES = RequestOptions.__annotations__.keys()
