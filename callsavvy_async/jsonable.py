"""Values that web frameworks can write as JSON: pydantic's `TypeAdapter`, FastAPI's annotations and its `jsonable_encoder`.

The package does not depend on pydantic. Pydantic asks a class for its schema by a method with a fixed name, and only then is
pydantic_core imported, which is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast


class SchemaHandler(Protocol):
    """The part of pydantic's `GetCoreSchemaHandler` that is used."""

    def generate_schema(self, source_type: object, /) -> object:
        """Return the core schema of a type."""
        ...


class Jsonable:
    """Base of values that users return from web services. It adds no field; a subclass writes `as_dict`."""

    __slots__ = ()

    def as_dict(self) -> Mapping[str, object]:
        """Return the value as a mapping of names to JSON-able values, or to values of known types."""
        raise NotImplementedError

    @classmethod
    def field_types(cls) -> Mapping[str, object] | None:
        """Return the types of what `as_dict` returns, by name; None if all are JSON-able."""
        return None

    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]
        """The fields for `vars`, which FastAPI's `jsonable_encoder` calls; the classes have slots."""
        return dict(self.as_dict())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: SchemaHandler, /) -> object:
        """Return pydantic's schema: an instance, and as JSON its fields.

        Args:
            source: The annotated type.
            handler: Makes the schemas of the fields.
        """
        from pydantic_core import core_schema as schemas  # noqa: PLC0415 - pydantic is there when it calls

        types = cls.field_types()
        written: schemas.CoreSchema = schemas.dict_schema(schemas.str_schema(), schemas.any_schema())
        if types is not None:
            fields = {name: cast("schemas.CoreSchema", handler.generate_schema(kind)) for name, kind in types.items()}
            written = schemas.typed_dict_schema(
                {name: schemas.typed_dict_field(field) for name, field in fields.items()}, cls_name=cls.__name__
            )
        as_json = schemas.plain_serializer_function_ser_schema(cls.as_dict, return_schema=written)
        return schemas.is_instance_schema(cls, serialization=as_json)
