"""What every answer type shares: frozen, unknown fields kept, private fields masked in the repr."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import attrs

from callsavvy_async.redaction import mask_text


class Wire(str):
    """The name of a field on the wire, where ours differs: ``Annotated[datetime | None, Wire("datetime")]``."""

    __slots__ = ()


def _show_names(extra: Mapping[str, object]) -> str:
    return f"<{', '.join(extra)}>" if extra else "{}"


def private(default: Any = None) -> Any:
    """Declare a model field that holds personal data, a text or a secret: its repr is masked."""
    return attrs.field(default=default, repr=mask_text)


@attrs.frozen(kw_only=True)
class Model:
    """Base of every answer type.

    The API leaves out, nulls or empties what it does not have, so every field but a row's own id may be None.
    """

    extra: Mapping[str, object] = attrs.field(factory=dict[str, object], repr=_show_names, hash=False)
    """What the API sent beside the documented fields, and documented fields whose value could not be read, both under
    their wire names and as they came."""


@attrs.frozen(kw_only=True)
class Receipt(Model):
    """Base of what a request that changed something answers. It never fails to be read: it holds what there was."""

    raw: bytes = attrs.field(default=b"", repr=False, eq=False)
    """The whole answer as it came."""


class WireField(typing.NamedTuple):
    """A field of a model that the API sends."""

    name: str
    """Ours."""
    wire: str
    """The API's."""
    annotation: object
    default: object
    """What it holds when the API leaves it out."""


def wire_fields(model: type[Model]) -> list[WireField]:
    """List what the API sends of a model; `extra` and `raw` are our own."""
    hints = typing.get_type_hints(model, include_extras=True)
    return [
        _wire_field(field.name, hints[field.name], field.default)
        for field in attrs.fields(model)
        if field.name not in {"extra", "raw"}
    ]


def _wire_field(name: str, hint: object, default: object) -> WireField:
    if get_origin(hint) is not typing.Annotated:
        return WireField(name, name, hint, default)
    annotation, *notes = get_args(hint)
    wire = next((str(note) for note in notes if isinstance(note, Wire)), name)
    return WireField(name, wire, annotation, default)
