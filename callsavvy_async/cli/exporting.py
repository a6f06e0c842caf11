"""``callsavvy tickets|calls|chats|meetings export``: the records of a range of days, written to a file as they are read."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Generator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Annotated, TypeAlias

from cyclopts import Parameter

from callsavvy_async.bulk.csv_escape import harmless
from callsavvy_async.cli.activity import show
from callsavvy_async.cli.client import read
from callsavvy_async.cli.document import as_json
from callsavvy_async.cli.output import Result, Row, as_cells, as_row, columns_of
from callsavvy_async.cli.reading import DepartmentFilter
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.models import Call, Chat, Meeting, Ticket
from callsavvy_async.wire.model import Model
from callsavvy_async.wording import quantity

_FORMATS = (".csv", ".jsonl")


def _check_name(_: object, path: Path) -> None:
    if path.suffix not in _FORMATS:
        raise ValueError(f'"{path.name}" must end in .csv or .jsonl; the ending selects the format.')
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise ValueError(f'"{path}" is not a regular file; name another one.')


ExportFile: TypeAlias = Annotated[
    Path,
    Parameter(validator=_check_name, help="File to write, .csv or .jsonl. It replaces an older one when complete."),
]
Start: TypeAlias = Annotated[datetime, Parameter(help="First day, e.g. 2026-11-01.")]
End: TypeAlias = Annotated[datetime, Parameter(help="Last day, included.")]


def export_tickets(
    file: ExportFile,
    /,
    *,
    start: Start,
    end: End,
    department_id: DepartmentFilter = None,
    status: Annotated[str | None, Parameter(help="Only this status.")] = None,
    sender_email: Annotated[str | None, Parameter(help="Only this customer.")] = None,
) -> None:
    """Write the support tickets of a range of days to a file."""
    first, last = _days(start, end)
    _export(
        file,
        Ticket,
        lambda client: client.tickets.iter(
            start=first, end=last, department_id=department_id, status=status, sender_email=sender_email
        ),
    )


def export_calls(
    file: ExportFile,
    /,
    *,
    start: Start,
    end: End,
    department_id: DepartmentFilter = None,
    category_id: Annotated[str | None, Parameter(help="Only this category.")] = None,
    direction: Annotated[str | None, Parameter(help="Incoming or Outgoing.")] = None,
) -> None:
    """Write the phone calls of a range of days to a file."""
    first, last = _days(start, end)
    _export(
        file,
        Call,
        lambda client: client.calls.iter(
            start=first, end=last, department_id=department_id, category_id=category_id, direction=direction
        ),
    )


def export_chats(file: ExportFile, /, *, start: Start, end: End, department_id: DepartmentFilter = None) -> None:
    """Write the live chats of a range of days to a file."""
    first, last = _days(start, end)
    _export(file, Chat, lambda client: client.chats.iter(start=first, end=last, department_id=department_id))


def export_meetings(file: ExportFile, /, *, start: Start, end: End) -> None:
    """Write the virtual meetings of a range of days to a file."""
    first, last = _days(start, end)
    _export(file, Meeting, lambda client: client.meetings.iter(start=first, end=last))


def _days(start: datetime, end: datetime) -> tuple[date, date]:
    if end < start:
        raise InvalidRequestError(f"--end {end:%Y-%m-%d} is before --start {start:%Y-%m-%d}; give the last day.")
    return start.date(), end.date()


def _export(path: Path, model: type[Model], rows: Callable[[Callsavvy], AsyncIterator[Model]]) -> None:
    """Write the rows as they arrive. An older file stays until the new one is complete."""

    async def write(client: Callsavvy) -> int:
        count = 0
        with _complete(path) as file:
            add = _csv_writer(file, model) if path.suffix == ".csv" else _jsonl_writer(file)
            async for row in rows(client):
                add(as_row(row))
                count += 1
        return count

    count = read(write)
    show(Result({"file": str(path), "rows": count}, f"{quantity(count, 'row')} in {path}"))


@contextlib.contextmanager
def _complete(path: Path) -> Generator[IO[str]]:
    """Open a new file beside `path`, which only its owner may read. Replace `path` with it if the block ends well."""
    encoding = "utf-8-sig" if path.suffix == ".csv" else "utf-8"  # a byte order mark lets Excel recognise UTF-8
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding=encoding, newline="") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _csv_writer(file: IO[str], model: type[Model]) -> Callable[[Row], object]:
    writer, columns = csv.writer(file), columns_of(model)
    writer.writerow(columns)
    return lambda row: writer.writerow([harmless(cell) for cell in as_cells(row, columns)])


def _jsonl_writer(file: IO[str]) -> Callable[[Row], object]:
    return lambda row: file.write(f"{as_json(row, indent=None)}\n")
