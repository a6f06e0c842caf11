"""Read any row with cattrs. A field that cannot be read stays empty, and ``extra`` keeps its raw value.

Importing and setting up cattrs takes tens of milliseconds, and most programs never receive an unusual row. The first
unusual row imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import attrs

from callsavvy_async.wire.field_parsers import RowField, UnreadableDataError, is_empty, kind_of
from callsavvy_async.wire.json_bytes import Json
from callsavvy_async.wire.model import Model

M = TypeVar("M", bound=Model)


def lenient_reader(model: type[M], fields: Iterable[RowField]) -> Callable[[Json, bytes], M]:
    """Make a `RowReader` that accepts any object.

    Args:
        model: Response type.
        fields: All fields that the API sends.
    """
    documented = {field.wire: field for field in fields}
    keeps_raw = hasattr(model, "raw")
    structure: Callable[[object, type[M]], M] | None = None

    def read(row: Json, raw: bytes) -> M:
        nonlocal structure
        if not isinstance(row, dict):
            raise UnreadableDataError(f"the API's document shows an object here, the response holds {kind_of(row)}")
        if structure is None:
            structure = _structure_by_cattrs(model, documented.values())
        made = structure(row, model)
        extra = {
            name: value
            for name, value in row.items()
            if name not in documented or _was_lost(made, documented[name], value)
        }
        kept = {"extra": extra, "raw": raw} if keeps_raw else {"extra": extra}
        return attrs.evolve(made, **kept)

    return read


def _was_lost(made: Model, field: RowField, sent: Json) -> bool:
    """Return True if a field is empty although the API sent a value."""
    return getattr(made, field.name) == field.blank and not is_empty(sent)


def _structure_by_cattrs(model: type[M], fields: Iterable[RowField]) -> Callable[[object, type[M]], M]:
    try:
        from cattrs import Converter  # noqa: PLC0415 - see the module
        from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415
    except (ImportError, OSError):  # too many files are open: a response that has arrived must still be read
        return _structure_plainly(fields)
    make = cast("Callable[..., Callable[[object, type[M]], M]]", make_dict_structure_fn)  # fields are keyword arguments
    ours = {name: override(omit=True) for name in ("extra", "raw")}
    read = {field.name: override(rename=field.wire, struct_hook=_tolerant(field)) for field in fields}
    return make(model, Converter(detailed_validation=False), **ours, **read)


def _structure_plainly(fields: Iterable[RowField]) -> Callable[[object, type[M]], M]:
    hooks = [(field, _tolerant(field)) for field in fields]

    def structure(row: object, model: type[M]) -> M:
        given = cast("dict[str, Json]", row)
        values = {field.name: hook(given[field.wire], None) for field, hook in hooks if field.wire in given}
        return cast("Callable[..., M]", model)(**values)

    return structure


def _tolerant(field: RowField) -> Callable[[Json, object], object]:
    def structure(value: Json, _: object) -> object:
        try:
            return field.blank if is_empty(value) else field.rule(value)
        except (ValueError, ArithmeticError):
            return field.blank

    return structure
