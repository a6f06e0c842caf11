"""A request that the server received."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Its repr omits the headers and the body, which hold keys and messages."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """Headers by lower-case name. The last of several equal names wins."""
    body: bytes = field(default=b"", repr=False)
    read: bool = True
    """True if the body was read to its end. Before that it is empty."""

    @property
    def resource(self) -> str:
        """Last segment of the path."""
        return self.path.rpartition("/")[2]
