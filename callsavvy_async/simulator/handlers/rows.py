"""The few things that the handlers do to tables."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.responses import RequestRefused
from callsavvy_async.simulator.state import Row, Table


def columns(row: Row, *names: str) -> Row:
    """Take the fields that an answer shows, in its order."""
    return {name: row[name] for name in names}


def find(table: Table, key: str, *, kind: str) -> Row:
    """Return the record that a call is about, or refuse with 404."""
    try:
        return table[key]
    except KeyError:
        raise RequestRefused(404, f"{kind} not found") from None


def check_reference(table: Table, params: Mapping[str, str], name: str) -> None:
    """Refuse with 422 a parameter that names no record ("Pass a valid ... ID"); not given is fine."""
    value = params.get(name)
    if value and value not in table:
        raise RequestRefused(422, f"Invalid {name}: {value}")


def select(table: Table, params: Mapping[str, str], **fields_by_parameter: str) -> list[Row]:
    """Return the records that agree with every filter given.

    Args:
        table: The records.
        params: The call's parameters; `datetime` keeps the records whose time begins with it.
        **fields_by_parameter: The record's field that each other parameter is compared with, ignoring case.
    """
    wanted = {
        field: params[parameter].casefold() for parameter, field in fields_by_parameter.items() if parameter in params
    }
    period = params.get("datetime", "")
    return [
        row
        for row in table.values()
        if row.get("datetime", "").startswith(period)
        and all(row[field].casefold() == value for field, value in wanted.items())
    ]
