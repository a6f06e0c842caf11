"""JSON as bytes, with orjson and msgspec (extra ``speed``) if installed, else with the standard library.

Both ways write the same bytes and read the same values. Each fast library therefore gets only the work in which it
agrees with the standard library: orjson writes objects of texts (it turns NaN into null), and msgspec reads (orjson
turns integers beyond 64 bits into floats, which would corrupt long ids). The standard library decides the rest.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeAlias, cast

from callsavvy_async.encodable import encodable_json

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
"""A value read from JSON."""
JsonObject: TypeAlias = "dict[str, Json]"

_TEXTS = {str}
NUL = b"\\u0000"
_SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\0")
"""NUL, surrogates as escapes or as bytes, and UTF-16, which RFC 4627 allowed."""


def dumps(fields: Mapping[str, object]) -> bytes:
    """Write a JSON object as compact UTF-8.

    Raises:
        TypeError: A value has no JSON form.
        ValueError: A number is NaN or infinite, or a text holds a lone surrogate (UnicodeEncodeError).
    """
    if set(map(type, fields.values())) == _TEXTS:
        return dumps_texts(fields)
    return _dumps(fields)


def dumps_texts(fields: Mapping[str, object]) -> bytes:
    """Write a JSON object whose values are all of the type str. Raises UnicodeEncodeError for a lone surrogate."""
    write = _texts_writer()
    if write is not None:
        try:
            return write(fields)
        except TypeError:  # a lone surrogate
            pass
    return _dumps(fields)


def _dumps(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def loads(body: bytes) -> Json:
    """Read JSON strictly: NaN and Infinity are errors, and the last of two equal names wins.

    Lone surrogates and NUL, which databases reject, are replaced: see `callsavvy_async.encodable`.

    Raises:
        ValueError: The body is not JSON.
        RecursionError: The body is nested too deeply.
    """
    reader = _reader()
    if reader is not None:
        read, errors = reader
        try:
            document = read(body)
        except errors:  # a byte order mark, a lone surrogate, 1e400: the standard library reads them
            pass
        else:
            # not "in", which tries to read the bytes as a number first: 2,400 instructions
            return document if body.find(NUL) < 0 else encodable_json(document)
    document = cast("Json", json.loads(body, parse_constant=_refuse))
    return encodable_json(document) if _SUSPICIOUS.search(body) else document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


@functools.cache
def _texts_writer() -> Callable[[object], bytes] | None:
    try:
        import orjson  # noqa: PLC0415 - an extra
    except (ImportError, OSError):  # not installed, or too many files are open
        return None
    return orjson.dumps


@functools.cache
def _reader() -> tuple[Callable[[bytes], Json], tuple[type[Exception], ...]] | None:
    try:
        import msgspec  # noqa: PLC0415 - an extra
    except (ImportError, OSError):  # not installed, or too many files are open
        return None
    return msgspec.json.Decoder().decode, (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
