"""The result of a command: a text or a table for people, JSON or CSV for programs."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias, cast

import attrs

from callsavvy_async.bulk.csv_escape import harmless
from callsavvy_async.cli import table
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.wire.model import Model

Row: TypeAlias = Mapping[str, object]

_EXTRA = "extra"
"""Fields of a response that this release does not know. They are in JSON only."""
_HIDDEN_FIELDS = {_EXTRA, "raw"}


@attrs.frozen
class Result:
    """The result of a command.

    Attributes:
        data: What JSON and CSV contain: an object, or a list with one object a row.
        text: What people see; None for a table of the data.
        columns: Columns of a list, known also if it is empty.
    """

    data: Row | Sequence[Row] = attrs.field(factory=dict[str, object], repr=False)
    text: str | None = attrs.field(default=None, repr=False)
    columns: tuple[str, ...] = ()

    def as_text(self, chosen: Sequence[str] = ()) -> tuple[str, list[str]]:
        """Return what people see, and the columns that do not fit.

        Args:
            chosen: Columns that the user wants to see.
        """
        if self.text is not None and not chosen:
            return self.text, []
        if isinstance(self.data, Mapping):
            return table.side_by_side(
                (name, _for_people(value)) for name, value in self.data.items() if name != _EXTRA
            ), []
        names = self._names(chosen)
        cells = [[_for_people(row.get(name)) for name in names] for row in self._rows()]
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return table.draw(names, cells, width=width, chosen=bool(chosen))

    def as_csv(self, chosen: Sequence[str] = ()) -> str:
        """Return a header and a row for each item. Cells that a spreadsheet would run are quoted."""
        rows = list(self._rows())
        names = self._names(chosen)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([harmless(cell) for cell in as_cells(row, names)] for row in rows)
        return text.getvalue().removesuffix("\n")

    def check(self, chosen: Sequence[str]) -> None:
        """Check the columns that the user wants to see.

        Raises:
            InvalidRequestError: A column does not exist.
        """
        names = self._names(())
        for name in chosen:
            if name not in names:
                known = ", ".join(map(repr, names))  # without quotes some would be taken for options
                raise InvalidRequestError(f'--columns names "{name}"; the columns are {known}.')

    def _rows(self) -> Iterator[Row]:
        for row in (self.data,) if isinstance(self.data, Mapping) else self.data:
            yield dict(_flat(row))

    def _names(self, chosen: Sequence[str]) -> Sequence[str]:
        return chosen or self.columns or tuple(dict.fromkeys(name for row in self._rows() for name in row))


def listing(rows: Sequence[Model], model: type[Model]) -> Result:
    """Return a list as a result."""
    return Result([as_row(row) for row in rows], columns=tuple(columns_of(model)))


def single(item: Model) -> Result:
    """Return a single item as a result."""
    return Result(as_row(item))


def as_row(item: Model) -> Row:
    """Return the fields of a model as values for JSON."""
    known = {name: _plain(getattr(item, name)) for name in columns_of(type(item))}
    return {**known, _EXTRA: dict(item.extra)} if item.extra else known


def as_cells(row: Row, names: Sequence[str]) -> list[str]:
    """Return the cells of a row for CSV."""
    return [_cell(row.get(name)) for name in names]


def columns_of(model: type[Model]) -> list[str]:
    """Return the columns of a list of a model."""
    return [field.name for field in attrs.fields(model) if field.name not in _HIDDEN_FIELDS]


def _flat(row: Row, before: str = "") -> Iterator[tuple[str, object]]:
    """Yield the fields of an object and of the objects in it, e.g. "skipped.invalid"."""
    for name, value in row.items():
        if name == _EXTRA:
            continue
        if isinstance(value, Mapping):
            yield from _flat(cast("Row", value), f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _for_people(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return f"{value:,}"
    return _cell(value)


def _cell(value: object) -> str:
    """Format a value on one line. Blank control characters, because strangers wrote these texts and a terminal obeys them."""
    if isinstance(value, list | tuple):
        value = " ".join(map(str, cast("Sequence[object]", value)))
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat(" ")
        case timedelta():
            return int(value.total_seconds())
        case str():
            return str(value)
        case tuple():
            return [str(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value
