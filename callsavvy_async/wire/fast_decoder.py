"""Read the usual row fast: every documented field, no other, each a text; what differs is read leniently, whole.

Most of the time that reading a row takes is spent on putting values into a frozen object: attrs does it by a call and a
look-up for each field. CPython stores into a slot in a few nanoseconds where the name is written out in the code and the
class does not guard itself. So the reader of a model is written out field by field, as attrs and dataclasses write their
``__init__``, and it fills an object of an unguarded subclass that becomes one of the model when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar, cast

from callsavvy_async.values import OpenEnum
from callsavvy_async.wire.field_parsers import RowField, Rule, as_words, read_decimal, read_naive_time, read_text
from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.model import Model

M = TypeVar("M", bound=Model)

_READER = """
def read(row, raw):
    if type(row) is not dict or len(row) != {count}:
        return otherwise(row, raw)
    try:
        made = new(Draft)
        {fields}
        made.__class__ = model
        return made
    except refusals:
        return otherwise(row, raw)
"""
_TEXT = "value = row[{wire!r}]; made.{name} = value if value and not value.isspace() else blank(value, {blank!r})"
_OTHER = "value = row[{wire!r}]; made.{name} = read_{name}(value) if value else blank(value, {blank!r})"

_REFUSALS = (KeyError, ValueError, ArithmeticError, AttributeError, TypeError)  # of a field, of a value, of its type


def quick_reader(
    model: type[M], fields: Iterable[RowField], otherwise: Callable[[Json, bytes], M]
) -> Callable[[Json, bytes], M]:
    """Make the fast reader of a model's rows.

    Args:
        model: an attrs class with slots, whose fields have neither converters nor validators.
        fields: all that the API sends of it.
        otherwise: reads the rows that this one refuses.
    """
    names: dict[str, object] = {
        "Draft": type(model.__name__, (model,), {"__slots__": (), **_UNGUARDED}),
        "blank": _blank,
        "model": model,
        "new": object.__new__,
        "otherwise": otherwise,
        "refusals": _REFUSALS,
    }
    lines: list[str] = []
    for name, wire, rule, blank in fields:
        lines.append((_TEXT if rule is read_text else _OTHER).format(name=name, wire=wire, blank=blank))
        names[f"read_{name}"] = _from_text(rule)
    code = _READER.format(count=len(lines), fields="\n        ".join([*lines, *_own_fields(model)]))
    exec(code, names)  # noqa: S102 - made of the names of our own fields
    return cast("Callable[[Json, bytes], M]", names["read"])


_UNGUARDED = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}  # both, or CPython takes neither


def _own_fields(model: type[Model]) -> list[str]:
    return ["made.extra = {}", "made.raw = raw"] if hasattr(model, "raw") else ["made.extra = {}"]


def _blank(value: Json, blank: object) -> object:
    if value is None or isinstance(value, str):
        return blank
    raise ValueError


def _from_text(rule: Rule) -> Callable[[str], object]:
    """Choose what reads a text as the rule does, or refuses it, and refuses what is no text."""
    if rule is read_naive_time:
        return datetime.fromisoformat
    if rule is read_decimal:
        return _read_plain_decimal
    words = as_words(rule)
    return rule if words is None else _EnumWords(words).__getitem__


def _read_plain_decimal(value: Json) -> Decimal:
    if type(value) is str:
        number = Decimal(value)
        if number.is_finite():
            return number
    raise ValueError


class _EnumWords(dict[str, OpenEnum]):
    """The words of an open enumeration as they are documented; of others the enumeration decides."""

    def __init__(self, kind: type[OpenEnum]) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, text: str) -> OpenEnum:
        return self._kind(text)
