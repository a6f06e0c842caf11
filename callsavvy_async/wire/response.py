"""Read the API's answers: the envelope first (API document: "Response Format"), the data by the codec."""

from __future__ import annotations

import enum

import attrs

from callsavvy_async.wire.json_bytes import Json, loads
from callsavvy_async.wire.response_headers import Headers


@attrs.frozen
class HttpResponse:
    """A whole answer: status, headers under lower-case names, decoded body."""

    status_code: int
    headers: Headers = attrs.field(repr=False)
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
    data: Json = attrs.field(default=None, repr=False)


def read_envelope(body: bytes) -> Envelope | None:
    """Parse an answer strictly; None when it is not a JSON object (HTML, cut short, NaN, double-encoded, ...).

    Whether it is JSON is decided by parsing, never by the content type (quirk Q39); nothing is repaired (quirk Q09).
    """
    try:
        document = loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    status: EnvelopeStatus | None
    try:
        status = _WORDS[document["status"]]
    except (KeyError, TypeError):  # none, in other letters, another word, or no text at all
        word = document.get("status")
        status = _WORDS.get(word.strip().lower()) if isinstance(word, str) else None
    message = document.get("message")
    return Envelope(status, message if message and isinstance(message, str) else None, document.get("data"))


_WORDS: dict[object, EnvelopeStatus] = {status.value: status for status in EnvelopeStatus}
