"""The description of an API resource."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

import attrs

R_co = TypeVar("R_co", covariant=True)


class Effect(enum.Enum):
    """The effect of a request. It decides whether a request with an unknown outcome may be retried."""

    READ = "read"
    """Changes nothing."""
    IDEMPOTENT = "idempotent"
    """Doing it twice equals doing it once. "Not found" on a retry means that the first attempt succeeded."""
    WRITE = "write"
    """Doing it twice creates two records: the API has no idempotency key."""
    SPEND = "spend"
    """Doing it twice charges twice and disturbs a person twice: the API has no idempotency key."""

    @property
    def retryable(self) -> bool:
        """True if a retry does no harm."""
        return self in {Effect.READ, Effect.IDEMPOTENT}


@attrs.frozen
class Endpoint(Generic[R_co]):
    """An API resource.

    Attributes:
        resource: Last segment of its URL.
        returns: Model class of its response, or ``tuple[Model, ...]`` for a list.
        effect: Effect of a request.
        clock: Parameter with the time of the request, if the API takes one. It is not part of the content that a key names.
    """

    resource: str
    returns: type[R_co]
    effect: Effect
    clock: str | None = None
