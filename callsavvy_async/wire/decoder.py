"""Read one object of a response into a model: usual objects fast, all others leniently, with equal results."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import TypeAlias, TypeVar

from callsavvy_async.wire.fast_decoder import quick_reader
from callsavvy_async.wire.field_parsers import RowField, rule_for
from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.lenient_decoder import lenient_reader
from callsavvy_async.wire.model import Model, wire_fields

M = TypeVar("M", bound=Model)

RowReader: TypeAlias = Callable[[Json, bytes], M]
"""Reads an object. The bytes are the whole response body, for models that keep it. Raises UnreadableDataError."""


def row_reader(model: type[M], timezone: tzinfo | None) -> RowReader[M]:
    """Make the function that reads a model's objects.

    Args:
        model: Response type.
        timezone: Zone of naive times.

    Raises:
        TypeError: A field's type has no rule.
    """
    fields = row_fields(model, timezone)
    return quick_reader(model, fields, lenient_reader(model, fields))


def row_fields(model: type[Model], timezone: tzinfo | None) -> list[RowField]:
    """List a model's fields with their rules.

    Raises:
        TypeError: A field's type has no rule.
    """
    return [RowField(field.name, field.wire, *rule_for(field.annotation, timezone)) for field in wire_fields(model)]
