"""Read the body of a webhook: bytes in, an event out, no I/O.

The content type is not documented and so decides nothing: a body whose first byte opens a JSON value is JSON, any other
is a form (quirks Q53, Q58). What a body may hold is capped, because anybody may have written it.
"""

from __future__ import annotations

import functools
import json
import re
from datetime import tzinfo
from urllib.parse import parse_qsl

from callsavvy_async.encodable import encodable_json
from callsavvy_async.errors import CallsavvyError
from callsavvy_async.webhooks.events import EVENT_TYPES, Event, UnknownEvent
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.json_bytes import Json, JsonObject

MAX_BODY_BYTES = 256 * 1024
"""Largest body that is read."""
MAX_VALUES = 200
"""Most values in a body, nested ones included."""
MAX_DEPTH = 8
"""Deepest nesting of a JSON body, which itself has depth 1."""
MAX_NAME_LENGTH = 100
"""Longest name of a field or an event, in characters."""
MAX_TEXT_LENGTH = 64 * 1024
"""Longest text in a field, in characters."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BARE_PLUS = re.compile(rb"=\+(?=\d{6,15}(?:&|$))")
"""The sign of a number that a sender put into a form unencoded, where a plus means a blank. A text of digits behind a
blank is much less likely."""
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_-]+)", re.IGNORECASE)
_CHARSETS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252"}  # cp1252 as browsers read all three


class MalformedEventError(CallsavvyError, ValueError):
    """The body is no event. The text names the rule that it breaks and nothing of what it holds."""


class EventTooLargeError(MalformedEventError):
    """The body is larger than the cap."""


def parse(body: bytes, *, content_type: str | None = None, timezone: tzinfo | None = None) -> Event:
    """Read one event.

    Args:
        body: the request's body.
        content_type: the request's header; only its charset is believed, and only if it is a Latin one. Else UTF-8.
        timezone: the zone that naive times are taken to be in; None leaves them naive (quirk Q16).

    Raises:
        MalformedEventError: when it is neither a JSON object nor a form, names no event, or passes a cap.
    """
    if len(body) > MAX_BODY_BYTES:
        raise EventTooLargeError(f"the body has {len(body)} bytes; at most {MAX_BODY_BYTES} are read.")
    content = body.removeprefix(_BYTE_ORDER_MARK).strip()
    charset = _charset(content_type)
    fields = _read_json(content, charset) if content[:1] in {b"{", b"["} else _read_form(content, charset)
    _check_caps(fields)
    name = fields.get("event")
    if not isinstance(name, str) or not name:
        raise MalformedEventError("the body has no field 'event' that names one; is it Callsavvy that posts here?")
    event_type = EVENT_TYPES.get(name, UnknownEvent)
    return _codec(timezone).row_reader(event_type)(fields, body)


@functools.lru_cache(maxsize=8)
def _codec(timezone: tzinfo | None) -> Codec:
    return Codec(timezone)


def _charset(content_type: str | None) -> str:
    named = _CHARSET.search(content_type or "")
    return _CHARSETS.get(named.group(1).lower(), "utf-8") if named else "utf-8"


def _read_json(content: bytes, charset: str) -> JsonObject:
    try:
        value: Json = encodable_json(json.loads(content.decode(charset, "replace")))
    except (ValueError, RecursionError):
        raise MalformedEventError("the body begins like JSON and is none.") from None
    if not isinstance(value, dict):
        raise MalformedEventError("the body is a JSON list; an event is an object.")
    return value


def _read_form(content: bytes, charset: str) -> JsonObject:
    try:
        pairs = parse_qsl(
            _BARE_PLUS.sub(b"=%2B", content).decode(charset, "replace"),
            keep_blank_values=True,
            encoding=charset,
            errors="replace",
            max_num_fields=MAX_VALUES,
        )
    except ValueError:
        raise MalformedEventError(f"the form has more than {MAX_VALUES} fields.") from None
    return encodable_json(dict(pairs))


def _check_caps(fields: JsonObject) -> None:
    """Walk all values without recursion."""
    found, level, depth = 0, list[Json]([fields]), 0
    while level:
        depth += 1
        inner: list[Json] = []
        for value in level:
            if isinstance(value, str):
                if len(value) > MAX_TEXT_LENGTH:
                    raise MalformedEventError(f"a field holds more than {MAX_TEXT_LENGTH} characters.")
            elif isinstance(value, dict):
                members = value
                if any(len(name) > MAX_NAME_LENGTH for name in members):
                    raise MalformedEventError(f"a field's name has more than {MAX_NAME_LENGTH} characters.")
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        found += len(inner)
        if found > MAX_VALUES:
            raise MalformedEventError(f"the body holds more than {MAX_VALUES} values.")
        if depth > MAX_DEPTH:
            raise MalformedEventError(f"the body is nested more than {MAX_DEPTH} deep.")
        level = inner
