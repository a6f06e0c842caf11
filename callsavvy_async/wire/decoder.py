"""Read one object of an answer into a model: the usual ones fast, all others leniently, with equal results."""

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
"""Reads an object; the bytes are the whole answer, for models that keep it. Raises UnreadableDataError for no object."""


def row_reader(model: type[M], timezone: tzinfo | None) -> RowReader[M]:
    """Make the function that reads a model's objects.

    Args:
        model: an answer type.
        timezone: the zone of naive times.

    Raises:
        TypeError: there is no rule to read a field of this type.
    """
    fields = [RowField(field.name, field.wire, *rule_for(field.annotation, timezone)) for field in wire_fields(model)]
    return quick_reader(model, fields, lenient_reader(model, fields))
