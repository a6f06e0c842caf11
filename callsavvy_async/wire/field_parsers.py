"""Rules of reading one value: each a function from the JSON value to ours, raising ValueError when it makes no sense.

The API sends numbers and booleans as text and marks absence in five ways (quirks Q13, Q15, Q16, Q24, Q25).
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
"""Reads one value; raises ValueError or ArithmeticError."""

_BETWEEN_URLS = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may itself hold a comma
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class RowField(NamedTuple):
    """A field that is read."""

    name: str
    """Ours."""
    wire: str
    """The API's."""
    rule: Rule
    blank: object
    """What stands for "nothing"."""


class UnreadableDataError(ValueError):
    """The data of a success answer is not of the shape that the endpoint promises."""


# ------------------------------------------------------------------------------------------------------------- shapes


def is_empty(value: Json) -> bool:
    """Whether a value stands for "nothing": missing, null, blank text, and PHP's [] and {} (quirk Q15)."""
    return value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())  # noqa: PLR1714


def rows_of(data: Json) -> list[Json]:
    """Return the rows of a list, however PHP wrote it.

    Raises:
        UnreadableDataError: it is no list.
    """
    if isinstance(data, list):
        return data
    if is_empty(data):
        return []
    if isinstance(data, dict) and all(key.isdecimal() for key in data):  # PHP's list with gaps: {"0": ..., "2": ...}
        return list(data.values())
    raise UnreadableDataError(f"the API's document shows a list here, the answer holds {kind_of(data)}")


def single_of(data: Json) -> Json:
    """Return the one object that an answer holds: itself, or the only row of a list."""
    if is_empty(data):
        return {}
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def kind_of(value: Json) -> str:
    """Name the kind of a JSON value, without the value."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")


# ------------------------------------------------------------------------------------------------------- single values


def read_text(value: Json) -> str:
    """Read a text; nothing is stripped, for ids are opaque (quirk Q36)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError


def read_decimal(value: Json) -> Decimal:
    """Read an amount (quirk Q13)."""
    number = Decimal(read_text(value).strip())
    if not number.is_finite():
        raise ValueError
    return number


def read_int(value: Json) -> int:
    """Read a count."""
    number = read_decimal(value)
    if number != number.to_integral_value() or number.adjusted() > 18:  # noqa: PLR2004 - past 64 bits it is no count
        raise ValueError
    return int(number)


def read_seconds(value: Json) -> timedelta:
    """Read a duration (quirk Q32)."""
    seconds = read_decimal(value)
    if seconds < 0:
        raise ValueError
    return timedelta(seconds=float(seconds))


def read_bool(value: Json) -> bool:
    """Read a truth; the text "false" is False (quirk Q24)."""
    word = (str(value) if isinstance(value, bool) else read_text(value)).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def read_naive_time(value: Json) -> datetime:
    """Read a time, which has a zone only if it names one (quirk Q16)."""
    return datetime.fromisoformat(read_text(value).strip())


def read_time(value: Json, timezone: tzinfo) -> datetime:
    """Read a time, taken to be in `timezone` unless it names its own zone (quirk Q16)."""
    moment = read_naive_time(value)
    return moment.replace(tzinfo=timezone) if moment.tzinfo is None else moment


def read_urls(value: Json) -> tuple[str, ...]:
    """Read URLs: a list of them, or a text with commas between (quirk Q25)."""
    if isinstance(value, str):
        urls = tuple(url for url in _BETWEEN_URLS.split(value.strip().strip(",").strip()) if url)
    else:
        urls = tuple(read_text(item).strip() for item in rows_of(value) if not is_empty(item))
    if not urls:  # "," and [""] are no absence of a value: they are kept as they came
        raise ValueError
    return urls


# --------------------------------------------------------------------------------------------------- by type of field


def rule_for(annotation: object, timezone: tzinfo | None) -> tuple[Rule, object]:
    """Choose the rule by which a field is read, and what stands for "nothing" in it.

    Raises:
        TypeError: there is no rule for this type.
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
    words = as_words(wanted)
    if words is not None:
        return words, None
    raise TypeError(f"no rule to read a {getattr(wanted, '__name__', wanted)}")


def as_words(kind: object) -> type[OpenEnum] | None:
    """Return a type, or a rule, as the open enumeration that it is; None when it is another."""
    return kind if isinstance(kind, type) and issubclass(kind, OpenEnum) else None


_RULES: dict[object, Rule] = {
    str: read_text,
    int: read_int,
    bool: read_bool,
    Decimal: read_decimal,
    timedelta: read_seconds,
}
