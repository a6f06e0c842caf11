"""Base classes of response types: frozen, with unknown fields kept and private fields masked in the repr."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import attrs

from callsavvy_async.jsonable import Jsonable
from callsavvy_async.redaction import mask_text


class Wire(str):
    """A field's name in the API, if the model's differs: ``Annotated[datetime | None, Wire("datetime")]``."""

    __slots__ = ()


def _show_names(extra: Mapping[str, object]) -> str:
    return f"<{', '.join(extra)}>" if extra else "{}"


def private(default: Any = None) -> Any:
    """Declare a model field that holds personal data, a text or a secret. Its repr is masked."""
    return attrs.field(default=default, repr=mask_text)


@attrs.frozen(kw_only=True)
class Model(Jsonable):
    """Base of every response type.

    The API omits, nulls or empties absent values, so every field may be None, except the id of a row.

    Attributes:
        extra: Undocumented fields, and documented fields whose value could not be read. Names and values are the API's.
    """

    extra: Mapping[str, object] = attrs.field(factory=dict[str, object], repr=_show_names, hash=False)

    def as_dict(self) -> Mapping[str, object]:
        """Return the fields without ``raw``. Nothing is masked."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self)) if field.name != "raw"}

    @classmethod
    def field_types(cls) -> Mapping[str, object]:
        """See `Jsonable.field_types`."""
        hints = typing.get_type_hints(cls)
        return {field.name: hints[field.name] for field in attrs.fields(cls) if field.name != "raw"}


@attrs.frozen(kw_only=True)
class Receipt(Model):
    """Base of the responses to requests that change something. Decoding a receipt never fails: unreadable fields are empty.

    Attributes:
        raw: The whole response body.
    """

    raw: bytes = attrs.field(default=b"", repr=False, eq=False)


class WireField(typing.NamedTuple):
    """A model field that the API sends."""

    name: str
    """Name in the model."""
    wire: str
    """Name in the API."""
    annotation: object


def wire_fields(model: type[Model]) -> list[WireField]:
    """List a model's fields without `extra` and `raw`, which the SDK adds."""
    hints = typing.get_type_hints(model, include_extras=True)
    return [
        _wire_field(field.name, hints[field.name])
        for field in attrs.fields(model)
        if field.name not in {"extra", "raw"}
    ]


def _wire_field(name: str, hint: object) -> WireField:
    if get_origin(hint) is not typing.Annotated:
        return WireField(name, name, hint)
    annotation, *notes = get_args(hint)
    wire = next((str(note) for note in notes if isinstance(note, Wire)), name)
    return WireField(name, wire, annotation)
