"""What every call may be told beside its own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import attrs

from callsavvy_async.config import Config
from callsavvy_async.errors import ConfigurationError


class CallOptions(TypedDict, total=False):
    """Keyword options that every method takes.

    Attributes:
        timeout: seconds for one attempt, connecting included.
        deadline: seconds for the whole call, waiting and repeats included; None for no end.
        max_retries: repeats after a failure that is proved safe to repeat.
        extra: undocumented parameters of the API, sent as they are.
    """

    timeout: float
    deadline: float | None
    max_retries: int
    extra: Mapping[str, object]


def apply_options(config: Config, options: CallOptions) -> Config:
    """Lay a call's options over the client's settings; extras add up, the call's win.

    Raises:
        ConfigurationError: for an option that does not exist or a value out of range.
    """
    if not options:
        return config
    unknown = options.keys() - CallOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(
            f"there is no option {', '.join(sorted(unknown))}; a call takes {', '.join(CallOptions.__annotations__)}."
        )
    retry = attrs.evolve(config.retry, max_retries=options.get("max_retries", config.retry.max_retries))
    return attrs.evolve(
        config,
        timeout=options.get("timeout", config.timeout),
        deadline=options.get("deadline", config.deadline),
        retry=retry,
        extra={**config.extra, **options.get("extra", {})},
    )
