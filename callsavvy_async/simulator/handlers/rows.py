"""Operations of the handlers on tables."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.responses import RequestRejected
from callsavvy_async.simulator.state import Row, Table


def columns(row: Row, *names: str) -> Row:
    """Return these fields of a row, in this order."""
    return {name: row[name] for name in names}


def find(table: Table, key: str, *, kind: str) -> Row:
    """Return a record, or raise 404 if it does not exist."""
    try:
        return table[key]
    except KeyError:
        raise RequestRejected(404, f"{kind} not found") from None


def check_reference(table: Table, params: Mapping[str, str], name: str) -> None:
    """Raise 422 if a parameter is present and is not the id of a record ("Pass a valid ... ID")."""
    value = params.get(name)
    if value and value not in table:
        raise RequestRejected(422, f"Invalid {name}: {value}")


def select(table: Table, params: Mapping[str, str], **fields_by_parameter: str) -> list[Row]:
    """Return the records that match all filters.

    Args:
        table: Records.
        params: Parameters of the request. `datetime` matches the records whose time begins with it.
        **fields_by_parameter: Field of the record that each other parameter must equal, ignoring case.
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
