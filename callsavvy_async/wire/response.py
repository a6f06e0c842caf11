"""The API's responses and their envelope (API document: "Response Format"). The codec reads the data."""

from __future__ import annotations

import enum
from typing import NamedTuple

import attrs

from callsavvy_async.slim import slim
from callsavvy_async.wire.json_bytes import Json, loads
from callsavvy_async.wire.response_headers import Headers


@slim
class HttpResponse:
    """A complete response: status, headers under lower-case names, decoded body."""

    status_code: int
    headers: Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class EnvelopeStatus(enum.Enum):
    """The two documented values of an envelope's status. Other values prove nothing."""

    SUCCESS = "success"
    ERROR = "error"


class DecodedRows(NamedTuple):
    """The data of a long list whose rows were read together with its envelope."""

    models: tuple[object, ...]


@slim
class Envelope:
    """The outer object of a response. `status` is None if it is neither success nor error."""

    status: EnvelopeStatus | None
    message: str | None = None
    data: Json | DecodedRows = attrs.field(default=None, repr=False)


def read_envelope(body: bytes) -> Envelope | None:
    """Parse a response strictly. Returns None if it is not a JSON object (HTML, cut short, NaN, double-encoded, ...).

    Parsing alone decides, because the API documents no content type. Broken JSON is never repaired.
    """
    try:
        document = loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    status: EnvelopeStatus | None
    try:
        status = _STATUSES[document["status"]]
    except (KeyError, TypeError):  # missing, in other letters, another word, or not a text
        word = document.get("status")
        status = _STATUSES.get(word.strip().lower()) if isinstance(word, str) else None
    message = document.get("message")
    return Envelope(status, message if message and isinstance(message, str) else None, document.get("data"))


_STATUSES: dict[object, EnvelopeStatus] = {status.value: status for status in EnvelopeStatus}
