"""The fields of a row as text that can be sent, stored and shown; what is no text in it is told, and ends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsavvy_async.encodable import encodable, is_encodable

LONGEST = 65_536
"""Characters of a field; no message of any channel is as long."""

NO_FAULTS: Mapping[str, str] = {}


def plain_fields(row: Mapping[Any, Any]) -> dict[str, str] | None:
    """Return the fields of a row that are all text as it should be; None when one of them is not."""
    try:
        joined = "".join(row.values()) + "".join(row)
    except TypeError:
        return None
    return dict(row) if len(joined) <= LONGEST and is_encodable(joined) else None


def read_fields(row: Mapping[Any, Any]) -> tuple[dict[str, str], Mapping[str, str]]:
    """Return the fields of a row as text, and for those that cannot be used as such, why.

    What is no text at all is left out; of one that cannot be encoded, the odd characters are replaced.
    """
    fields = plain_fields(row)
    return _read_each(row) if fields is None else (fields, NO_FAULTS)


def field_text(value: object) -> str:
    """Write a value of a row as text: None, NaN and NA as blank, whole floats as integers.

    Programs that keep a column of integers with gaps as floats would else make ``2348012345678.0`` of a number.

    Raises:
        ValueError: it is no text; the message says why.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("holds bytes; decode them")  # noqa: TRY004 - of a value, not of an argument
    if is_missing(value):
        return ""
    kind = type(value)
    if issubclass(kind, list | tuple | dict | set | frozenset) or _has_no_text(kind):
        raise ValueError(f"is of type {kind.__name__}, which is no text")
    try:
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    except Exception:  # noqa: BLE001 - of a class of somebody's, in one row of many
        raise ValueError(f"is of type {type(value).__name__}, which cannot be written as text") from None


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, NaT, or pandas' NA, which is neither equal nor unequal to itself."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - only NaN and NaT differ from themselves
    except Exception:  # noqa: BLE001 - as above
        return type(value).__name__ == "NAType"


def _has_no_text(kind: type[object]) -> bool:
    """Whether all that a value has to say of itself is where it lies in memory."""
    return kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__


def _read_each(row: Mapping[Any, Any]) -> tuple[dict[str, str], Mapping[str, str]]:
    fields: dict[str, str] = {}
    faults: dict[str, str] = {}
    for key, value in row.items():
        name = encodable(str(key))
        try:
            text = field_text(value)
        except ValueError as error:
            faults[name] = str(error)
            continue
        if len(text) > LONGEST:
            faults[name] = f"has {len(text):,} characters; {LONGEST:,} are the most"
            text = text[:LONGEST]
        elif not is_encodable(text):
            faults[name] = "holds half a character (a lone surrogate) or NUL, as a text that was cut"
        fields[name] = encodable(text)
    return fields, faults
