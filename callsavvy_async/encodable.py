"""Make texts encodable.

A lone surrogate cannot be encoded (Unicode 15, 3.9, D76); programs create one when they cut a text within an emoji.
PostgreSQL cannot store NUL. The SDK replaces both in input (as WebIDL's USVString does) or refuses the text, so that recording
a paid message never fails.
"""

from __future__ import annotations

import re
from typing import TypeVar, cast

T = TypeVar("T")

_ODD = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def is_encodable(text: str) -> bool:
    """Return whether a text holds neither lone surrogates nor NUL."""
    return ("\0" not in text) if text.isascii() else _ODD.search(text) is None


def encodable(text: str) -> str:
    """Replace lone surrogates and NUL in a text."""
    return text if is_encodable(text) else _ODD.sub(_REPLACEMENT, text)


def encodable_json(value: T) -> T:
    """Replace lone surrogates and NUL in a JSON value. Lists and objects are modified in place."""
    if isinstance(value, str):
        return cast("T", encodable(value))
    pending: list[object] = [value]
    while pending:  # iterative, because the value may be nested up to the recursion limit
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
