"""Rules that read one JSON value into a Python value, and raise ValueError for a value that makes no sense.

The API sends numbers and booleans as text, and marks an absent value in five ways (docs/explanation/api-quirks.md).
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple, TypeAlias, get_args, get_origin

from callsavvy_async.values import OpenEnum
from callsavvy_async.wire.json_bytes import Json

Rule: TypeAlias = Callable[[Json], object]
"""Reads one value. Raises ValueError or ArithmeticError."""

_BETWEEN_URLS = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may itself hold a comma
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class RowField(NamedTuple):
    """A model field with its rule."""

    name: str
    """Name in the model."""
    wire: str
    """Name in the API."""
    rule: Rule
    blank: object
    """Value of an absent field."""


class UnreadableDataError(ValueError):
    """The data of a success response does not have the shape that the endpoint promises."""


# ------------------------------------------------------------------------------------------------------------- shapes


def is_empty(value: Json) -> bool:
    """Return True for the API's marks of an absent value: missing, null, blank text, and PHP's [] and {}."""
    return value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())  # noqa: PLR1714


def rows_of(data: Json) -> list[Json]:
    """Return the rows of a list, also of one that PHP wrote as an object.

    Raises:
        UnreadableDataError: The data is not a list.
    """
    if isinstance(data, list):
        return data
    if is_empty(data):
        return []
    if isinstance(data, dict) and all(key.isdecimal() for key in data):  # PHP's list with gaps: {"0": ..., "2": ...}
        return list(data.values())
    raise UnreadableDataError(f"the API's document shows a list here, the response holds {kind_of(data)}")


def single_of(data: Json) -> Json:
    """Return the data's only object: the data itself, or the only row of a list."""
    if is_empty(data):
        return {}
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def kind_of(value: Json) -> str:
    """Name the kind of a JSON value, without the value."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")


# ------------------------------------------------------------------------------------------------------- single values


def read_text(value: Json) -> str:
    """Read a text without stripping it, because ids are opaque."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError


def read_decimal(value: Json) -> Decimal:
    """Read an amount, which the API sends as text."""
    number = Decimal(read_text(value).strip())
    if not number.is_finite():
        raise ValueError
    return number


def read_int(value: Json) -> int:
    """Read a count."""
    number = read_decimal(value)
    if number != number.to_integral_value() or number.adjusted() > 18:  # noqa: PLR2004 - beyond 64 bits
        raise ValueError
    return int(number)


def read_seconds(value: Json) -> timedelta:
    """Read a duration in seconds. The API documents no unit."""
    seconds = read_decimal(value)
    if seconds < 0:
        raise ValueError
    return timedelta(seconds=float(seconds))


def read_bool(value: Json) -> bool:
    """Read a boolean, which the API sends as text such as "false"."""
    word = (str(value) if isinstance(value, bool) else read_text(value)).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def read_naive_time(value: Json) -> datetime:
    """Read a time. The result is aware only if the value names a zone."""
    return datetime.fromisoformat(read_text(value).strip())


def read_time(value: Json, timezone: tzinfo) -> datetime:
    """Read a time as an aware one. `timezone` is the zone of a value that names none."""
    moment = read_naive_time(value)
    return moment.replace(tzinfo=timezone) if moment.tzinfo is None else moment


def read_urls(value: Json) -> tuple[str, ...]:
    """Read URLs from a list, or from a text that separates them with commas."""
    if isinstance(value, str):
        urls = tuple(url for url in _BETWEEN_URLS.split(value.strip().strip(",").strip()) if url)
    else:
        urls = tuple(read_text(item).strip() for item in rows_of(value) if not is_empty(item))
    if not urls:  # "," and [""] do not mark absence: the caller keeps them unchanged
        raise ValueError
    return urls


# --------------------------------------------------------------------------------------------------- by type of field


def rule_for(annotation: object, timezone: tzinfo | None) -> tuple[Rule, object]:
    """Return the rule of a field, and the value of the field when it is absent.

    Raises:
        TypeError: The type has no rule.
    """
    if annotation == tuple[str, ...]:
        return read_urls, ()
    if annotation is str:
        return read_text, ""
    kinds = get_args(annotation) if get_origin(annotation) in {types.UnionType, typing.Union} else ()
    wanted: object = next((kind for kind in kinds if kind is not types.NoneType), annotation)
    if wanted is datetime:
        return functools.partial(read_time, timezone=timezone) if timezone else read_naive_time, None
    if wanted in _RULES:
        return _RULES[wanted], None
    kind = as_enum(wanted)
    if kind is not None:
        return kind, None
    raise TypeError(f"no rule to read a {getattr(wanted, '__name__', wanted)}")


def as_enum(kind: object) -> type[OpenEnum] | None:
    """Return a type or a rule if it is an open enumeration, else None."""
    return kind if isinstance(kind, type) and issubclass(kind, OpenEnum) else None


_RULES: dict[object, Rule] = {
    str: read_text,
    int: read_int,
    bool: read_bool,
    Decimal: read_decimal,
    timedelta: read_seconds,
}
