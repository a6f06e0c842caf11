"""One constant row per API resource."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

import attrs

R_co = TypeVar("R_co", covariant=True)


class Effect(enum.Enum):
    """What a request does to the world, and so whether it may be repeated when its outcome is unknown."""

    READ = "read"
    """Changes nothing."""
    IDEMPOTENT = "idempotent"
    """Doing it twice is the same as doing it once; "not found" on a repeat means done (quirk Q38)."""
    WRITE = "write"
    """Doing it twice makes a second one (quirk Q18)."""
    SPEND = "spend"
    """Doing it twice charges twice and disturbs a person twice (quirk Q18)."""

    @property
    def retryable(self) -> bool:
        """Whether repeating it does no harm."""
        return self in {Effect.READ, Effect.IDEMPOTENT}


@attrs.frozen
class Endpoint(Generic[R_co]):
    """An API resource: its name on the wire, the type its answer becomes, and its effect.

    `returns` is a model class, or ``tuple[Model, ...]`` for a list.
    """

    resource: str
    returns: type[R_co]
    effect: Effect
