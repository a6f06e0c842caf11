"""One request as the server saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """Method, path, headers and body; the last two stay out of the repr, since they hold keys and messages."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; of a repeated header the last."""
    body: bytes = field(default=b"", repr=False)
    read: bool = True
    """Whether the body was read to its end; before that it is empty."""

    @property
    def resource(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]
