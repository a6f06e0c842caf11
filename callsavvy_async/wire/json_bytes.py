"""JSON as bytes: by orjson and msgspec (extra ``speed``) where they are installed, else by the standard library.

Both ways write the same bytes and read the same values. So the fast libraries get only what they treat as the standard
library does: orjson writes texts and nothing else (it turns NaN into null), and msgspec reads (orjson turns whole
numbers past 64 bits into floats, and so spoils long ids). What either refuses, the standard library decides.
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
_NUL = b"\\u0000"
_SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\0")
"""NUL, surrogates written as escapes or as bytes, and what is no UTF-8 at all (RFC 4627 let JSON be UTF-16)."""


def dumps(fields: Mapping[str, object]) -> bytes:
    """Write a JSON object as compact UTF-8.

    Raises:
        TypeError: something in it is no JSON.
        ValueError: a number is NaN or infinite, or a text holds a lone surrogate (UnicodeEncodeError).
    """
    write = _texts_writer()
    if write is not None and set(map(type, fields.values())) == _TEXTS:
        try:
            return write(fields)
        except TypeError:  # orjson's word for a lone surrogate
            pass
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def loads(body: bytes) -> Json:
    """Read JSON strictly: no NaN, no Infinity, nothing repaired; of a name that comes twice the last value counts.

    Only half a surrogate pair and NUL, which no database takes, are replaced: see `callsavvy_async.encodable`.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    reader = _reader()
    if reader is not None:
        read, refusals = reader
        try:
            document = read(body)
        except refusals:  # a byte order mark, half a surrogate pair, 1e400: the standard library reads them
            pass
        else:
            return encodable_json(document) if _NUL in body else document
    document = cast("Json", json.loads(body, parse_constant=_refuse))
    return encodable_json(document) if _SUSPICIOUS.search(body) else document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


@functools.cache
def _texts_writer() -> Callable[[object], bytes] | None:
    try:
        import orjson  # noqa: PLC0415 - an extra
    except (ImportError, OSError):  # not installed; or not to be read, where too many files are open
        return None
    return orjson.dumps


@functools.cache
def _reader() -> tuple[Callable[[bytes], Json], tuple[type[Exception], ...]] | None:
    try:
        import msgspec  # noqa: PLC0415 - an extra
    except (ImportError, OSError):  # the same: a response that has come is read all the same
        return None
    return msgspec.json.Decoder().decode, (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
