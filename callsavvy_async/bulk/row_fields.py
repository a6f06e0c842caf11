"""Convert the fields of a row to text. A field that cannot be converted is reported, and the row stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsavvy_async.encodable import encodable, is_encodable

_LARGEST_EXACT = 2**53
_SHORTEST_SCIENTIFIC = 10**10

LONGEST = 65_536
"""Most characters of a field; longer than any message."""

NO_FAULTS: Mapping[str, str] = {}


def plain_fields(row: Mapping[Any, Any]) -> dict[str, str] | None:
    """Return the fields of a row if all of them are valid text, else None."""
    try:
        joined = "".join(row.values()) + "".join(row)
    except TypeError:
        return None
    return dict(row) if len(joined) <= LONGEST and is_encodable(joined) else None


def read_fields(row: Mapping[Any, Any]) -> tuple[dict[str, str], Mapping[str, str]]:
    """Return the fields of a row as text, and the faults of its faulty fields, by name.

    A field that is not text is left out. In a field that cannot be encoded, the invalid characters are replaced.
    """
    fields = plain_fields(row)
    return _read_each(row) if fields is None else (fields, NO_FAULTS)


def field_text(value: object) -> str:
    """Convert a value to text: None, NaN and NA to "", whole floats to integers.

    Data frames and spreadsheets store numbers as floats, so a phone number may arrive as ``2348012345678.0``.

    Raises:
        ValueError: the value is not text. The message completes "the field ...".
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("holds bytes; decode them")  # noqa: TRY004 - bad data, not a wrong argument
    if is_missing(value):
        return ""
    if isinstance(value, float) and lost_digits(value):
        raise ValueError(
            "is a number that lost digits, as 2.34803E+12 has; format the column as text and enter it again"
        )
    kind = type(value)
    if issubclass(kind, list | tuple | dict | set | frozenset) or _has_no_text(kind):
        raise ValueError(f"is of type {kind.__name__}, which is not text")
    try:
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    except Exception:  # noqa: BLE001 - raised by foreign classes, in one row of many
        raise ValueError(f"is of type {type(value).__name__}, which cannot be converted to text") from None


def cell_text(value: object) -> str | float:
    """Convert a cell of a table to text, as `field_text` does. A number that lost digits stays a number, which that refuses."""
    return value if isinstance(value, float) and lost_digits(value) else field_text(value)


def lost_digits(value: float) -> bool:
    """Return whether a number may differ from the one that was meant.

    Above 2**53, a float no longer holds every integer. And scientific notation, which spreadsheets use from 11 digits on,
    shows six digits: copied or saved as CSV, 2348034567890 becomes 2.34803E+12.
    """
    return abs(value) > _LARGEST_EXACT or (abs(value) >= _SHORTEST_SCIENTIFIC and float(f"{value:.5E}") == value)


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN, NaT, or pandas' NA, whose comparisons have no truth value."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - only NaN and NaT differ from themselves
    except Exception:  # noqa: BLE001 - raised by foreign classes
        return type(value).__name__ == "NAType"


def _has_no_text(kind: type[object]) -> bool:
    """Return whether a type inherits its text from object: its name and a memory address."""
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
            faults[name] = f"has {len(text):,} characters; the maximum is {LONGEST:,}"
            text = text[:LONGEST]
        elif not is_encodable(text):
            faults[name] = "holds a lone surrogate (half a character) or NUL, perhaps because the text was cut"
        fields[name] = encodable(text)
    return fields, faults
