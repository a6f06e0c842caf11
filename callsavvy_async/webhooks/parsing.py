"""Parse the body of a webhook into an event, without I/O.

The content type is not documented, so the first byte decides: a body that begins with ``{`` or ``[`` is JSON, any other
is a form. Size and nesting are limited, because a stranger may have written the body.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from datetime import tzinfo
from urllib.parse import parse_qsl

from callsavvy_async.encodable import encodable_json
from callsavvy_async.errors import CallsavvyError
from callsavvy_async.webhooks.events import EVENT_TYPES, Event, UnknownEvent
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.json_bytes import Json, JsonObject, loads

MAX_BODY_BYTES = 256 * 1024
"""Maximum size of a body in bytes."""
MAX_VALUES = 200
"""Maximum number of values in a body, including nested ones."""
MAX_DEPTH = 8
"""Maximum nesting of a JSON body. The outer object has depth 1."""
MAX_NAME_LENGTH = 100
"""Maximum length of a field's or an event's name in characters."""
MAX_TEXT_LENGTH = 64 * 1024
"""Maximum length of a text in characters."""

_TEXTS = {str}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BARE_PLUS = re.compile(rb"=\+(?=\d{6,15}(?:&|$))")
"""The unencoded plus of a phone number in a form, where a plus means a blank. Digits after a blank are less likely."""
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_-]+)", re.IGNORECASE)
_CHARSETS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252"}  # cp1252 as browsers read all three


class MalformedEventError(CallsavvyError, ValueError):
    """The body is not an event. The message names the violated rule, and no content of the body."""


class EventTooLargeError(MalformedEventError):
    """The body exceeds the maximum size."""


def parse(body: bytes, *, content_type: str | None = None, timezone: tzinfo | None = None) -> Event:
    """Parse one event.

    Args:
        body: Body of the request.
        content_type: Content-Type of the request. Only a Latin charset in it counts. The default is UTF-8.
        timezone: Zone of the API's times, which carry no zone. None leaves them naive.

    Raises:
        MalformedEventError: The body is neither a JSON object nor a form, or names no event.
        EventTooLargeError: The body exceeds a limit.
    """
    if len(body) > MAX_BODY_BYTES:
        raise EventTooLargeError(f"the body has {len(body)} bytes; the maximum is {MAX_BODY_BYTES}.")
    content = body.removeprefix(_BYTE_ORDER_MARK).strip()
    charset = _charset(content_type)
    fields = _read_json(content, charset) if content[:1] in {b"{", b"["} else _read_form(content, charset)
    if not _is_flat(fields, body):
        _check_limits(fields)
    name = fields.get("event")
    if not isinstance(name, str) or not name:
        raise MalformedEventError("the body names no event; the field 'event' must hold its name.")
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
        value = loads(content) if charset == "utf-8" and b"\0" not in content else _read_tolerantly(content, charset)
    except (ValueError, RecursionError):  # NaN, or bytes that are not UTF-8
        value = _read_tolerantly(content, charset)
    if not isinstance(value, dict):
        raise MalformedEventError("the body is a JSON list; an event must be an object.")
    return value


def _read_tolerantly(content: bytes, charset: str) -> Json:
    try:
        value: Json = json.loads(content.decode(charset, "replace"))
    except (ValueError, RecursionError):
        raise MalformedEventError("the body begins like JSON, but is not valid JSON.") from None
    return encodable_json(value)


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
        raise MalformedEventError(f"the form has more than {MAX_VALUES} fields, the maximum.") from None
    return encodable_json(dict(pairs))


def _is_flat(fields: JsonObject, body: bytes) -> bool:
    """Return whether an object surely keeps all limits: it has few texts in it and nothing else. Takes half the time."""
    return (
        len(fields) <= MAX_VALUES
        and len(body) <= MAX_TEXT_LENGTH
        and set(map(type, fields.values())) <= _TEXTS
        and max(map(len, fields), default=0) <= MAX_NAME_LENGTH
    )


def _check_limits(fields: JsonObject) -> None:
    """Check the limits level by level, without recursion."""
    found, level, depth = 0, list[Json]([fields]), 0
    while level:
        depth += 1
        inner: list[Json] = []
        for value in level:
            inner.extend(_inner_values(value))
        found += len(inner)
        if found > MAX_VALUES:
            raise MalformedEventError(f"the body holds more than {MAX_VALUES} values, the maximum.")
        if depth > MAX_DEPTH:
            raise MalformedEventError(f"the body is nested more than {MAX_DEPTH} levels deep, the maximum.")
        level = inner


def _inner_values(value: Json) -> Iterable[Json]:
    """Return the values in an object or a list, and check the lengths of texts and names."""
    if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
        raise MalformedEventError(f"a field has more than {MAX_TEXT_LENGTH} characters, the maximum.")
    if isinstance(value, dict):
        if any(len(name) > MAX_NAME_LENGTH for name in value):
            raise MalformedEventError(f"a field's name has more than {MAX_NAME_LENGTH} characters, the maximum.")
        return value.values()
    return value if isinstance(value, list) else ()
