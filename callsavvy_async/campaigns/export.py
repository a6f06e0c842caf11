"""Reads a campaign's rows from the journal page by page, and writes them to a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import anyio
import attrs

from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.bulk.report_files import ReportRow, write_csv, write_jsonl
from callsavvy_async.campaigns.journal import repository
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

T = TypeVar("T")

_PAGE = 200
_ROW_GROUP = 50_000


async def read_rows(writer: Writer, campaign: int, read: Callable[[Iterator[ReportRow]], T]) -> T:
    """Pass all rows to a function in a worker thread, and return its result."""
    return await anyio.to_thread.run_sync(read, _rows(writer, campaign))


def writer_of(path: Path) -> Callable[[Iterator[ReportRow]], None]:
    """Return a function that writes rows to a file, in the format of the file's suffix.

    Raises:
        InvalidRequestError: the suffix is not .csv, .jsonl or .parquet.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise InvalidRequestError(f"{path.name!r} must end in .csv, .jsonl or .parquet.")
    return partial(write, path)


def _rows(writer: Writer, campaign: int) -> Iterator[ReportRow]:
    """Yield all rows; called in a worker thread."""
    after = 0
    while page := anyio.from_thread.run(
        writer.run, partial(repository.page_of_recipients, campaign=campaign, after=after, limit=_PAGE)
    ):
        for number, state, message_id, detail, recipients in page:
            after = number
            for recipient in recipients:
                yield ReportRow(recipient.row, recipient.number, state.value, number, message_id, detail)
    load, row = 0, 0
    while left := anyio.from_thread.run(
        writer.run, partial(repository.page_of_skipped, campaign=campaign, after=(load, row), limit=_PAGE)
    ):
        for load, row, reason, given, detail in left:  # noqa: B007 - the last values start the next page
            yield ReportRow(row, given, f"skipped: {SkipReason(reason).value}", None, None, detail)


def _write_parquet(path: Path, rows: Iterator[ReportRow]) -> None:
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(
            f"{path.name} is a Parquet file, which needs an extra: pip install 'callsavvy-async[parquet]'"
        ) from None
    integer, text = pyarrow.int64(), pyarrow.string()
    schema = pyarrow.schema(
        [(field.name, integer if str(field.type).startswith("int") else text) for field in attrs.fields(ReportRow)]
    )
    path.touch(0o600)
    path.chmod(0o600)
    with parquet.ParquetWriter(path, schema) as file:
        while group := [attrs.asdict(row) for row in islice(rows, _ROW_GROUP)]:
            file.write_table(pyarrow.Table.from_pylist(group, schema=schema))


_WRITERS = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": _write_parquet}
