"""Turn a true reply into the malformed body that a fault sends instead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from callsavvy_async.simulator.faults import FaultKind
from callsavvy_async.simulator.responses import Json, Reply, encode

HTML_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
"""Error page of a proxy in front of the API."""

Mangler: TypeAlias = Callable[[Reply], bytes]

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def _map_scalars(value: Json, change: Callable[[Json], Json]) -> Json:
    """Replace every value that is neither an object nor a list."""
    if isinstance(value, Mapping):
        return {key: _map_scalars(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_scalars(item, change) for item in value]
    return change(value)


def _map_objects(value: Json, change: Callable[[Mapping[str, Json]], Json]) -> Json:
    """Replace `data` if it is an object, or each item if it is a list."""
    if isinstance(value, list | tuple):
        return [_map_objects(item, change) for item in value]
    return change(value) if isinstance(value, Mapping) else value


def _with_data(reply: Reply, change: Callable[[Json], Json]) -> bytes:
    if "data" not in reply.envelope:
        return reply.body
    return encode({**reply.envelope, "data": change(reply.envelope["data"])})


def _as_number(value: Json) -> Json:
    """Turn texts of numbers and booleans into JSON numbers and booleans."""
    if value in {"true", "false"}:
        return value == "true"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


def _as_nan(value: Json) -> Json:
    return float("nan") if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _as_php(data: Json) -> Json:
    """Turn a list into PHP's form of a list with gaps, and an object into PHP's form of an empty one."""
    if isinstance(data, list | tuple):
        return {str(index): item for index, item in enumerate(data)}
    return []


def _with_status(word: str) -> Callable[[Json], Json]:
    def change(item: Mapping[str, Json]) -> Json:
        return {**item, "status": word} if "status" in item else item

    return lambda data: _map_objects(data, change)


def _error_envelope(reply: Reply) -> bytes:
    return encode({"resource": reply.envelope["resource"], "status": "error", "message": "Something went wrong"})


_SEND_FAILED, _UNKNOWN_WORD = _with_status("failed"), _with_status("moon-phase")

MANGLERS: Mapping[FaultKind, Mangler] = {
    FaultKind.MALFORMED_JSON: lambda reply: reply.body.replace(b'"', b"'"),
    FaultKind.TRUNCATED_JSON: lambda reply: reply.body[: len(reply.body) // 2],
    FaultKind.EMPTY_RESPONSE: lambda _reply: b"",
    FaultKind.HTML_RESPONSE: lambda _reply: HTML_PAGE,
    FaultKind.WRONG_CONTENT_TYPE: lambda reply: reply.body,
    FaultKind.DOUBLE_ENCODED: lambda reply: encode(reply.body.decode()),
    FaultKind.NAN: lambda reply: encode(
        {**reply.envelope, "data": _map_scalars(reply.envelope.get("data"), _as_nan)} | {"took": float("nan")}
    ),
    FaultKind.NO_BREAK_SPACES: lambda reply: json.dumps(reply.envelope, indent="\u00a0" * 4).encode(),
    FaultKind.BYTE_ORDER_MARK: lambda reply: b"\xef\xbb\xbf" + reply.body,
    FaultKind.ERROR_ENVELOPE: _error_envelope,
    FaultKind.SEND_FAILED: lambda reply: _with_data(reply, _SEND_FAILED),
    FaultKind.UNKNOWN_WORD: lambda reply: _with_data(reply, _UNKNOWN_WORD),
    FaultKind.MISSING_DATA: lambda reply: encode({k: v for k, v in reply.envelope.items() if k != "data"}),
    FaultKind.MISSING_FIELDS: lambda reply: _with_data(reply, lambda data: _map_objects(data, lambda _item: {})),
    FaultKind.NULL_FIELDS: lambda reply: _with_data(reply, lambda data: _map_scalars(data, lambda _value: None)),
    FaultKind.JSON_NUMBERS: lambda reply: _with_data(reply, lambda data: _map_scalars(data, _as_number)),
    FaultKind.PHP_ARRAYS: lambda reply: _with_data(reply, _as_php),
    FaultKind.SHOUTED_STATUS: lambda reply: encode({**reply.envelope, "status": str(reply.envelope["status"]).upper()}),
}
"""Function that writes the body, for each kind of fault that changes only the body."""

CONTENT_TYPES: Mapping[FaultKind, str] = {
    FaultKind.HTML_RESPONSE: "text/html; charset=utf-8",
    FaultKind.WRONG_CONTENT_TYPE: "text/plain",
}
"""Content types other than JSON's."""
