"""Settings of vcrpy that keep keys and personal data out of cassettes.

    with vcr.VCR(**cassette_settings()).use_cassette("tickets.yaml"):
        ...

    @pytest.fixture(scope="module")
    def vcr_config():  # of pytest-recording and pytest-vcr
        return cassette_settings()

A cassette keeps the response fields that the models declare without a mask: ids, times, statuses, costs. ``***`` replaces the
values of a request, private and undocumented fields of a response, and a response that is not JSON. Numbers and e-mail
addresses are masked in the API's message. The headers of a request are dropped. vcrpy finds a response by method and URL, so a
masked cassette plays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import attrs

from callsavvy_async import models
from callsavvy_async.redaction import MASK, mask_text, redact
from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.model import Model, wire_fields

__all__ = ["RecordedRequest", "cassette_settings"]

_KEPT_HEADERS = {"content-type", "retry-after"}


class RecordedRequest(Protocol):
    """The part of vcrpy's request that is masked."""

    headers: dict[str, str]
    body: bytes | None


def cassette_settings() -> dict[str, object]:
    """Return arguments of ``vcr.VCR`` that mask each request and response before it is recorded."""
    return {
        "decode_compressed_response": True,
        "before_record_request": _mask_request,
        "before_record_response": _mask_response,
    }


def _mask_request(request: RecordedRequest) -> RecordedRequest:
    request.headers = {}  # of the SDK: the keys; of an application: anything
    request.body = _masked(request.body, _mask_arguments)
    return request


def _mask_response(response: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    headers = {name: value for name, value in response["headers"].items() if name.lower() in _KEPT_HEADERS}
    body: dict[str, object] = {"string": _masked(response["body"]["string"], _mask_envelope)}
    return response | {"headers": headers, "body": body}


def _masked(body: object, mask: Callable[[Mapping[str, Json]], Json]) -> bytes:
    try:
        document: Json = json.loads(body) if isinstance(body, bytes | str) else None
    except (ValueError, RecursionError):
        document = None
    return json.dumps(mask(document)).encode() if isinstance(document, dict) else MASK.encode()


def _mask_arguments(arguments: Mapping[str, Json]) -> Json:
    return dict.fromkeys(arguments, MASK)


def _mask_envelope(envelope: Mapping[str, Json]) -> Json:
    message = envelope.get("message")
    words: dict[str, Json] = {"message": redact(message)} if isinstance(message, str) else {}
    return {name: _mask_value(name, value) for name, value in envelope.items()} | words


def _mask_value(name: str, value: Json) -> Json:
    """Mask everything in a field but what a model declares without a mask."""
    if isinstance(value, dict):
        return {inner: _mask_value(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_mask_value(name, one) for one in value]
    return value if value in {None, ""} or name in _public_names() else MASK


@cache
def _public_names() -> frozenset[str]:
    """Return the API's names of fields that no model masks, and of those in every envelope."""
    public, private = {"resource"}, set[str]()
    for model in (kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, Model)):
        reprs = {field.name: field.repr for field in attrs.fields(model)}
        for field in wire_fields(model):
            (private if reprs[field.name] is mask_text else public).add(field.wire)
    return frozenset(public - private)
