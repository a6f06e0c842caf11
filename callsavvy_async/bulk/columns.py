"""Rows that are mappings: which column holds the number, and what a value is as text."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import redact

_USUAL_NAMES = (
    "phone",
    "number",
    "recipient",
    "mobile",
    "msisdn",
    "phone_number",
    "phone number",
    "tel",
    "whatsapp",
)


def number_column(row: Mapping[str, object], column: str | None) -> str:
    """Return the name of the column that holds the number.

    Without a name given it is the first usual one ("phone", "number", ... whatever the case) that the row has, else
    the row's only column.

    Raises:
        InvalidRequestError: naming the columns there are.
    """
    if column is not None:
        if column in row:
            return column
        raise InvalidRequestError(f"there is no column {column!r}; {_columns_of(row)}.")
    by_usual_name = {name.strip().lower(): name for name in row}
    for usual in _USUAL_NAMES:
        if usual in by_usual_name:
            return by_usual_name[usual]
    if len(row) == 1:
        return next(iter(row))
    raise InvalidRequestError(
        f"none of the columns is known to hold phone numbers; {_columns_of(row)}. Name it: column='...'."
    )


def field_text(value: object) -> str:
    """Write a value of a row as text: None and NaN as blank, whole floats as integers.

    Programs that keep a column of integers with gaps as floats would else make ``2348012345678.0`` of a number.
    """
    if isinstance(value, str):
        return value
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _columns_of(row: Mapping[str, object]) -> str:
    # A file without a header has its first row's data for names.
    names = ", ".join(repr(redact(name)) for name in row)
    return f"the columns are {names}" if names else "the row is empty"
