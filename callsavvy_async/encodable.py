"""Text from outside that every file, database and wire takes.

Half a surrogate pair, as programs leave it that cut a text in the middle of an emoji, is no character: it cannot be encoded
(Unicode 15, 3.9, D76). PostgreSQL stores no NUL. Both are replaced where a text comes in, as the web platform does it
(WebIDL, USVString), or the text is refused; so nothing fails later, when a message is paid for and cannot be written down.
"""

from __future__ import annotations

import re
from typing import TypeVar, cast

T = TypeVar("T")

_ODD = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def is_encodable(text: str) -> bool:
    """Whether a text can be written everywhere."""
    return ("\0" not in text) if text.isascii() else _ODD.search(text) is None


def encodable(text: str) -> str:
    """Replace what cannot be written."""
    return text if is_encodable(text) else _ODD.sub(_REPLACEMENT, text)


def encodable_json(value: T) -> T:
    """Replace what cannot be written in a value that was read from JSON; its lists and objects are changed in place."""
    if isinstance(value, str):
        return cast("T", encodable(value))
    pending: list[object] = [value]
    while pending:  # no recursion: what was parsed may be nested as deep as that allows
        node = pending.pop()
        if isinstance(node, dict):
            fields = cast("dict[str, object]", node)
            for name in list(fields):
                fields[encodable(name)] = _clean(fields.pop(name), pending)
        elif isinstance(node, list):
            items = cast("list[object]", node)
            items[:] = [_clean(item, pending) for item in items]
    return value


def _clean(value: object, pending: list[object]) -> object:
    if isinstance(value, str):
        return encodable(value)
    pending.append(value)
    return value
