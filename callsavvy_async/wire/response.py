"""Read the API's answers: the envelope first (API document: "Response Format"), the data by the codec."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import NoReturn, cast

import attrs


@attrs.frozen
class HttpResponse:
    """A whole answer: status, headers under lower-case names, decoded body."""

    status_code: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class EnvelopeStatus(enum.Enum):
    """The two words that prove something (quirks Q11, Q12)."""

    SUCCESS = "success"
    ERROR = "error"


@attrs.frozen
class Envelope:
    """The outer object of an answer. `status` is None when it says neither success nor error."""

    status: EnvelopeStatus | None
    message: str | None = None
    data: object = attrs.field(default=None, repr=False)


def read_envelope(body: bytes) -> Envelope | None:
    """Parse an answer strictly; None when it is not a JSON object (HTML, cut short, NaN, double-encoded, ...).

    Whether it is JSON is decided by parsing, never by the content type (quirk Q39); nothing is repaired (quirk Q09).
    """
    try:
        document: object = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    fields = cast("dict[str, object]", document)
    message = fields.get("message")
    return Envelope(
        status=_read_status(fields.get("status")),
        message=message if isinstance(message, str) and message else None,
        data=fields.get("data"),
    )


def _read_status(word: object) -> EnvelopeStatus | None:
    try:
        return EnvelopeStatus(word.strip().lower()) if isinstance(word, str) else None
    except ValueError:
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
