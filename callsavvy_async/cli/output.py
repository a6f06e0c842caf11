"""Results on stdout: a table for people, JSON or CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias, cast

import attrs
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callsavvy_async.bulk.csv_escape import harmless
from callsavvy_async.wire.model import Model

Format: TypeAlias = Annotated[
    Literal["table", "json", "csv"], Parameter(name=["--output", "-o"], help="Output format.")
]
"""The option ``--output``."""

_HIDDEN_FIELDS = {"extra", "raw"}
_NO_WRAP = 10_000


def show_rows(rows: Sequence[Model], model: type[Model], output: Format) -> None:
    """Print a list, one line, object or CSV row per item."""
    print(_rows_as(rows, model, output))


def show_one(result: Model, output: Format) -> None:
    """Print a single result."""
    print(as_text(result, output))


def show_json(value: object) -> None:
    """Print one JSON value, indented."""
    print(as_json(value))


def as_text(result: Model, output: Format) -> str:
    """Format a single result: one line per field, one object, or a CSV with one row."""
    match output:
        case "json":
            return as_json(_as_json(result))
        case "csv":
            return _rows_as((result,), type(result), output)
        case "table":
            table = Table.grid(padding=(0, 2))
            for name, cell in zip(_fields(type(result)), _cells(result), strict=True):
                table.add_row(name, Text(cell))
            return _draw(table)


def as_json(value: object) -> str:
    """Format a JSON value, indented; in ASCII if stdout's encoding lacks characters."""
    return json.dumps(value, ensure_ascii=not getattr(sys.stdout, "encodes_all", True), indent=2)


def _rows_as(rows: Sequence[Model], model: type[Model], output: Format) -> str:
    match output:
        case "json":
            return as_json([_as_json(row) for row in rows])
        case "csv":
            return _as_csv(rows, model)
        case "table":
            return _as_table(rows, model)


def _as_csv(rows: Sequence[Model], model: type[Model]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_fields(model))
    writer.writerows([harmless(cell) for cell in _cells(row)] for row in rows)
    return text.getvalue().removesuffix("\n")


def _as_table(rows: Sequence[Model], model: type[Model]) -> str:
    table = Table(*_fields(model), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    return _draw(table)


def _draw(table: Table) -> str:
    text, terminal = io.StringIO(), sys.stdout.isatty()
    width = None if terminal else _NO_WRAP
    Console(file=text, force_terminal=terminal, highlight=False, width=width).print(table)
    return text.getvalue().removesuffix("\n")


def _fields(model: type[Model]) -> list[str]:
    return [field.name for field in attrs.fields(model) if field.name not in _HIDDEN_FIELDS]


def _cells(row: Model) -> list[str]:
    return [_as_cell(getattr(row, name)) for name in _fields(type(row))]


def _as_cell(value: object) -> str:
    """Format a value on one line. Blank control characters, because strangers wrote these texts and a terminal obeys them."""
    plain = _plain(value)
    if isinstance(plain, list):
        plain = " ".join(map(str, cast("list[object]", plain)))
    text = "" if plain is None else str(plain)
    return "".join(char if char.isprintable() else " " for char in text)


def _as_json(row: Model) -> Mapping[str, object]:
    known = {name: _plain(getattr(row, name)) for name in _fields(type(row))}
    return {**known, "extra": dict(row.extra)} if row.extra else known


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat(" ")
        case timedelta():
            return int(value.total_seconds())
        case Decimal() | str():
            return str(value)
        case tuple():
            return [str(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value
