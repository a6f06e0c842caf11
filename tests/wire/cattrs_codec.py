"""Another reader of answers, made of cattrs: the witness that the SDK's own is compared with.

It shares nothing with the package but the models. Every rule is written here a second time, as plainly as can be.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from callsavvy_async.values import OpenEnum
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.model import Model, Receipt, Wire

R = TypeVar("R")

_BETWEEN_URLS = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may itself hold a comma
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class CattrsCodec:
    """Decode the data of answers.

    Args:
        timezone: the zone that the API's naive times are taken to be in; None leaves them naive (quirk Q16).
    """

    def __init__(self, timezone: tzinfo | None = None) -> None:
        self._converter = _build_converter(timezone)

    def decode(self, endpoint: Endpoint[R], data: object, body: bytes) -> R:
        """Read the data of a success answer as the endpoint's type.

        Args:
            endpoint: what was called.
            data: the envelope's ``data``.
            body: the whole answer, kept on receipts.

        Raises:
            UnreadableDataError: never for a receipt: it holds what could be read (it may be empty), since the thing was
                done whatever the answer looks like.
        """
        if get_origin(endpoint.returns) is tuple:
            model = get_args(endpoint.returns)[0]
            return cast("R", tuple(self._read_row(model, row) for row in _rows(data) if not _is_empty(row)))
        try:
            value = self._read_row(endpoint.returns, _single(data))
        except UnreadableDataError:
            if not issubclass(endpoint.returns, Receipt):
                raise
            value = endpoint.returns()
        return cast("R", attrs.evolve(value, raw=body)) if isinstance(value, Receipt) else value

    def _read_row(self, model: type[R], row: object) -> R:
        if not isinstance(row, dict):
            raise UnreadableDataError(f"the API's document shows an object here, the response holds {_kind(row)}")
        return self._converter.structure(cast("dict[str, object]", row), model)


def _is_empty(value: object) -> bool:
    """Whether a value stands for "nothing": missing, null, blank text, and PHP's [] and {} (quirk Q15)."""
    return value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())  # noqa: PLR1714


def _rows(data: object) -> list[object]:
    kind = _kind(data)
    if _is_empty(data):
        return []
    if isinstance(data, list):
        return cast("list[object]", data)
    if isinstance(data, dict):
        fields = cast("dict[str, object]", data)
        if all(key.isdecimal() for key in fields):  # PHP writes a list with gaps as {"0": ..., "2": ...}
            return list(fields.values())
    raise UnreadableDataError(f"the API's document shows a list here, the response holds {kind}")


def _single(data: object) -> object:
    if _is_empty(data):
        return {}
    if isinstance(data, list):
        rows = cast("list[object]", data)
        return rows[0] if len(rows) == 1 else rows
    return data


def _kind(value: object) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")


# ------------------------------------------------------------------------------------------------- reading one value


def _read_text(value: object) -> str:
    if isinstance(value, str):
        return value  # ids are opaque: nothing is stripped (quirk Q36)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError


def _read_decimal(value: object) -> Decimal:
    number = Decimal(_read_text(value).strip())
    if not number.is_finite():
        raise ValueError
    return number


def _read_int(value: object) -> int:
    number = _read_decimal(value)
    if number != number.to_integral_value() or number.adjusted() > 18:
        raise ValueError
    return int(number)


def _read_seconds(value: object) -> timedelta:
    seconds = _read_decimal(value)
    if seconds < 0:
        raise ValueError
    return timedelta(seconds=float(seconds))


def _read_bool(value: object) -> bool:
    word = (str(value) if isinstance(value, bool) else _read_text(value)).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _read_time(value: object, timezone: tzinfo | None) -> datetime:
    moment = datetime.fromisoformat(_read_text(value).strip())
    return moment.replace(tzinfo=timezone) if moment.tzinfo is None else moment


def _read_urls(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(url for url in _BETWEEN_URLS.split(value.strip().strip(",").strip()) if url)
    return tuple(_read_text(item).strip() for item in _rows(value) if not _is_empty(item))


# -------------------------------------------------------------------------------------------------- by type of field


def _build_converter(timezone: tzinfo | None) -> Converter:
    readers: dict[object, Callable[[object], object]] = {
        str: _read_text,
        int: _read_int,
        bool: _read_bool,
        Decimal: _read_decimal,
        timedelta: _read_seconds,
        datetime: functools.partial(_read_time, timezone=timezone),
    }
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _structure_id)
    converter.register_structure_hook_func(lambda t: t == tuple[str, ...], _structure_urls)

    def structure_optional(annotation: object) -> Callable[[object, object], object]:
        return _structure_optional(annotation, readers)

    def structure_model(cls: type[Model]) -> Callable[[Mapping[str, object], object], Model]:
        return _structure_model(cls, converter)

    converter.register_structure_hook_factory(_is_optional, structure_optional)
    converter.register_structure_hook_factory(attrs.has, structure_model)
    return converter


def _structure_id(value: object, _: object) -> str:
    return _or_default(_read_text, value, "")


def _structure_urls(value: object, _: object) -> tuple[str, ...]:
    none: tuple[str, ...] = ()
    return _or_default(_read_urls, value, none)


def _is_optional(annotation: object) -> bool:
    return get_origin(annotation) in {types.UnionType, typing.Union} and types.NoneType in get_args(annotation)


def _or_default(read: Callable[[object], R], value: object, default: R) -> R:
    try:
        return default if _is_empty(value) else read(value)
    except (ValueError, ArithmeticError):
        return default


def _structure_optional(
    annotation: object, readers: Mapping[object, Callable[[object], object]]
) -> Callable[[object, object], object]:
    wanted = next(part for part in get_args(annotation) if part is not types.NoneType)
    reader = readers.get(wanted)
    if reader is None:
        if not issubclass(wanted, OpenEnum):
            raise TypeError(f"no rule to read a {wanted.__name__}")
        reader = wanted
    return lambda value, _: _or_default(reader, value, None)


def _structure_model(cls: type[Model], converter: Converter) -> Callable[[Mapping[str, object], object], Model]:
    by_wire_name = _wire_names(cls)
    overrides = {name: override(rename=wire) for wire, name in by_wire_name.items()}
    inner = make_dict_structure_fn(cls, converter, **overrides, extra=override(omit=True), raw=override(omit=True))

    def structure(row: Mapping[str, object], _: object) -> Model:
        model = inner(row, cls)
        extra = {
            name: value
            for name, value in row.items()
            if name not in by_wire_name or _lost(getattr(model, by_wire_name[name]), value)
        }
        return attrs.evolve(model, extra=extra) if extra else model

    return structure


def _lost(read: object, sent: object) -> bool:
    return read in (None, "", ()) and not _is_empty(sent)


def _wire_names(cls: type[Model]) -> dict[str, str]:
    """Map the wire name of each field to our own; they differ where an ``override(rename=...)`` says so."""
    names: dict[str, str] = {}
    for name, annotation in typing.get_type_hints(cls, include_extras=True).items():
        renames = [str(part) for part in get_args(annotation) if isinstance(part, Wire)]
        names[renames[0] if renames else name] = name
    return {wire: name for wire, name in names.items() if name not in {"extra", "raw"}}
