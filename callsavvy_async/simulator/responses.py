"""The two envelopes of the API's responses (API document, "Response Format")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""Any JSON value."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class RequestRejected(Exception):
    """The API rejects a request, without any change or charge."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers: Mapping[str, str] = headers or {}


@dataclass(frozen=True, slots=True)
class Reply:
    """A response before it is encoded."""

    status: int
    envelope: Mapping[str, Json]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> bytes:
        """The envelope as compact UTF-8 JSON."""
        return encode(self.envelope)


def encode(value: Json) -> bytes:
    """Write a value as compact UTF-8 JSON."""
    return _ENCODER.encode(value).encode()


def success(resource: str, data: Json) -> Reply:
    """Build the success envelope, always with HTTP 200."""
    return Reply(200, {"resource": resource, "status": "success", "data": data})


def error(resource: str, rejection: RequestRejected) -> Reply:
    """Build the error envelope of a rejected request."""
    return Reply(
        rejection.status,
        {"resource": resource, "status": "error", "message": rejection.message},
        rejection.headers,
    )
