"""Read one object of an answer into a model: what makes no sense is empty and kept raw in ``extra``, the rest is read.

An attrs model that is frozen finds and checks each field by its name when it is made, which costs more than all the
reading. So the slots of a new object are filled through their descriptors, as attrs does in the end; and the two cases
that nearly every value of this API is, a text and "", are told apart before any rule is called.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import TypeAlias, TypeVar, cast

from callsavvy_async.values import OpenEnum
from callsavvy_async.wire.json_bytes import Json, JsonObject
from callsavvy_async.wire.model import Model, WireField, wire_fields
from callsavvy_async.wire.rules import (
    Rule,
    UnreadableDataError,
    as_words,
    is_empty,
    kind_of,
    read_decimal,
    read_naive_time,
    read_text,
    rule_for,
)

M = TypeVar("M", bound=Model)

RowReader: TypeAlias = Callable[[Json, bytes], M]
"""Reads an object; the bytes are the whole answer, for models that keep it. Raises UnreadableDataError for no object."""


_Step: TypeAlias = tuple[
    Callable[[object, object], None],  # puts a value into the field's slot
    str,  # the field's name on the wire
    Callable[[str], object] | None,  # reads a text as the rule does, or refuses it; None takes it as it is
    Rule,
    object,  # what stands for "nothing"
    object,  # what stands for "left out"
]
"""How one field is read. A plain tuple, since CPython takes it apart faster than a named one."""


def row_reader(model: type[M], timezone: tzinfo | None) -> RowReader[M]:
    """Make the function that reads a model's objects.

    Args:
        model: an attrs class with slots, whose fields have neither converters nor validators.
        timezone: the zone of naive times.

    Raises:
        TypeError: there is no rule to read a field of this type.
    """
    steps = tuple(_step(model, field, timezone) for field in wire_fields(model))
    new, fill_extra = object.__new__, _slot(model, "extra")
    fill_raw = _slot(model, "raw") if hasattr(model, "raw") else None

    def read(row: Json, raw: bytes) -> M:
        if type(row) is not dict:
            raise UnreadableDataError(f"the API's document shows an object here, the answer holds {kind_of(row)}")
        made = new(model)
        fill_extra(made, _fill(made, steps, row))
        if fill_raw is not None:
            fill_raw(made, raw)
        return made

    return read


def _fill(made: object, steps: tuple[_Step, ...], row: JsonObject) -> JsonObject:
    """Read all documented fields into their slots; return what else there is, and what could not be read."""
    unread: list[str] = []
    missing = 0
    for fill, wire, quick, rule, blank, default in steps:
        if wire not in row:
            missing += 1
            fill(made, default)
            continue
        sent = row[wire]
        value: object = sent
        try:
            if type(sent) is not str:
                value = blank if is_empty(sent) else rule(sent)
            elif not sent:
                value = blank
            elif quick is not None:
                value = quick(sent)
            elif sent.isspace():
                value = blank
        except (ValueError, ArithmeticError):
            value = _read_again(sent, rule, blank, wire, unread)
        fill(made, value)
    return _extra(row, steps, unread) if unread or len(row) + missing > len(steps) else {}


def _read_again(sent: Json, rule: Rule, blank: object, wire: str, unread: list[str]) -> object:
    """Read what the quick way refused: a blank text, one that only the rule reads, or nonsense."""
    try:
        return blank if is_empty(sent) else rule(sent)
    except (ValueError, ArithmeticError):
        unread.append(wire)
        return blank


def _extra(row: JsonObject, steps: tuple[_Step, ...], unread: list[str]) -> JsonObject:
    read = {wire for _, wire, *_ in steps}.difference(unread)
    return {name: value for name, value in row.items() if name not in read}


def _slot(model: type[Model], name: str) -> Callable[[object, object], None]:
    return cast("Callable[[object, object], None]", getattr(model, name).__set__)


def _step(model: type[Model], field: WireField, timezone: tzinfo | None) -> _Step:
    rule, blank = rule_for(field.annotation, timezone)
    return _slot(model, field.name), field.wire, _quick(rule), rule, blank, field.default


def _quick(rule: Rule) -> Callable[[str], object] | None:
    if rule is read_text:
        return None
    if rule is read_naive_time:
        return datetime.fromisoformat
    if rule is read_decimal:
        return _read_plain_decimal
    words = as_words(rule)
    return rule if words is None else _Words(words).__getitem__


def _read_plain_decimal(text: str) -> Decimal:
    number = Decimal(text)
    if number.is_finite():
        return number
    raise ValueError


class _Words(dict[str, OpenEnum]):
    """The words of an open enumeration as they are documented; of others the enumeration decides."""

    def __init__(self, kind: type[OpenEnum]) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, text: str) -> OpenEnum:
        return self._kind(text)
