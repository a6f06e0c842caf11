"""Read a usual row fast: documented fields only, all texts. Any other row goes to the lenient reader.

Storing values in a frozen attrs object dominates the cost of reading a row: attrs makes a function call for each field.
CPython stores into a slot in a few nanoseconds if the code names the slot and the class does not override
``__setattr__``. Therefore the reader of a model is generated field by field, as attrs generates ``__init__``. It fills
an object of a subclass without that guard and then changes the object's class to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar, cast

import attrs

from callsavvy_async.values import OpenEnum
from callsavvy_async.wire.field_parsers import RowField, Rule, as_enum, read_decimal, read_naive_time, read_text
from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.model import Model

M = TypeVar("M", bound=Model)

_READER = """
def read(row, raw):
    if type(row) is not dict:
        return otherwise(row, raw)
    whole = row
    if len(row) != {count}:
        if not row.keys() <= known:
            return otherwise(row, raw)
        whole = absent | row
    try:
        made = new(Draft)
        {fields}
        made.__class__ = model
        return made
    except unusual:
        return otherwise(row, raw)
"""
_VALUE = "value = whole[{wire!r}]; made.{name} = "
_BLANK = " else {blank!r} if value is None or value == '' else blank(value, {blank!r})"  # no call for the usual blanks
_TEXT = _VALUE + "value if value and not value.isspace()" + _BLANK
_OTHER = _VALUE + "read_{name}(value) if value" + _BLANK

UNUSUAL = (KeyError, ValueError, ArithmeticError, AttributeError, TypeError)
"""What a rule raises for a value that only the lenient reader accepts."""


def quick_reader(
    model: type[M], fields: Sequence[RowField], otherwise: Callable[[Json, bytes], M]
) -> Callable[[Json, bytes], M]:
    """Make the fast reader of a model's rows.

    Args:
        model: Slotted attrs class whose fields have neither converters nor validators.
        fields: All fields that the API sends.
        otherwise: Reader of unusual rows.
    """
    defaults = {field.name: field.default for field in attrs.fields(model)}
    names: dict[str, object] = {
        # without a field whose default is not the value of null, a row is unusual: KeyError
        "absent": {field.wire: None for field in fields if defaults[field.name] == field.blank},
        "known": frozenset(field.wire for field in fields),
        "Draft": draft_of(model),
        "blank": _blank,
        "model": model,
        "new": object.__new__,
        "otherwise": otherwise,
        "unusual": UNUSUAL,
    }
    lines: list[str] = []
    for name, wire, rule, blank in fields:
        lines.append((_TEXT if rule is read_text else _OTHER).format(name=name, wire=wire, blank=blank))
        names[f"read_{name}"] = from_text(rule)
    code = _READER.format(count=len(lines), fields="\n        ".join([*lines, *_own_fields(model)]))
    exec(code, names)  # noqa: S102 - contains only the names of the SDK's fields
    return cast("Callable[[Json, bytes], M]", names["read"])


def draft_of(model: type[M]) -> type[M]:
    """Return a subclass whose objects take values, and may then become objects of the model."""
    return cast("type[M]", type(model.__name__, (model,), {"__slots__": (), **_UNGUARDED}))


_UNGUARDED = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}  # CPython needs both


def _own_fields(model: type[Model]) -> list[str]:
    return ["made.extra = {}", "made.raw = raw"] if hasattr(model, "raw") else ["made.extra = {}"]


def _blank(value: Json, blank: object) -> object:
    if isinstance(value, str):  # blanks only
        return blank
    raise ValueError


def from_text(rule: Rule) -> Callable[[str], object]:
    """Return a function that reads texts as the rule does, and raises one of `UNUSUAL` for any other value."""
    if rule is read_naive_time:
        return datetime.fromisoformat
    if rule is read_decimal:
        return _read_plain_decimal
    kind = as_enum(rule)
    return rule if kind is None else _Members(kind).__getitem__


def _read_plain_decimal(value: Json) -> Decimal:
    if type(value) is str:
        number = Decimal(value)
        if number.is_finite():
            return number
    raise ValueError


class _Members(dict[str, OpenEnum]):
    """The documented members of an open enumeration by value. The enumeration itself reads other values."""

    def __init__(self, kind: type[OpenEnum]) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, text: str) -> OpenEnum:
        return self._kind(text)
