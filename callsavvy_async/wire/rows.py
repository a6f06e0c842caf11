"""Read one object of an answer into a model: what makes no sense is empty and kept raw in ``extra``, the rest is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import TypeAlias, TypeVar

from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.model import Model, wire_fields
from callsavvy_async.wire.quick_rows import RowField, quick_reader
from callsavvy_async.wire.rules import UnreadableDataError, is_empty, kind_of, rule_for

M = TypeVar("M", bound=Model)

RowReader: TypeAlias = Callable[[Json, bytes], M]
"""Reads an object; the bytes are the whole answer, for models that keep it. Raises UnreadableDataError for no object."""


def row_reader(model: type[M], timezone: tzinfo | None) -> RowReader[M]:
    """Make the function that reads a model's objects: the usual ones fast, all others tolerantly, with equal results.

    Args:
        model: an answer type.
        timezone: the zone of naive times.

    Raises:
        TypeError: there is no rule to read a field of this type.
    """
    fields = [RowField(field.name, field.wire, *rule_for(field.annotation, timezone)) for field in wire_fields(model)]
    return quick_reader(model, fields, tolerant_reader(model, fields))


def tolerant_reader(model: type[M], fields: list[RowField]) -> RowReader[M]:
    """Make the function that reads whatever comes as a model's object."""
    documented = {field.wire for field in fields}
    keeps_raw = hasattr(model, "raw")
    make: Callable[..., M] = model

    def read(row: Json, raw: bytes) -> M:
        if not isinstance(row, dict):
            raise UnreadableDataError(f"the API's document shows an object here, the answer holds {kind_of(row)}")
        values: dict[str, object] = {"raw": raw} if keeps_raw else {}
        understood = set(documented)
        for name, wire, rule, blank in fields:
            if wire not in row:
                continue
            try:
                values[name] = blank if is_empty(row[wire]) else rule(row[wire])
            except (ValueError, ArithmeticError):
                values[name] = blank
                understood.discard(wire)
        return make(**values, extra={name: value for name, value in row.items() if name not in understood})

    return read
