"""A campaign's rows written to a file, read from the journal page by page."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
import attrs

from callsavvy_async.bulk.row_files import ReportRow, write_csv, write_jsonl
from callsavvy_async.campaigns import store
from callsavvy_async.campaigns.report import chunk_rows, skipped_row
from callsavvy_async.campaigns.writer import Writer
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

_PAGE = 200
_ROW_GROUP = 50_000


async def export(writer: Writer, campaign: int, path: Path) -> None:
    """Write one row per recipient, in the format that the name's end tells. Numbers are in clear.

    Raises:
        InvalidRequestError: the name ends otherwise than .csv, .jsonl or .parquet.
        ConfigurationError: Parquet without its extra.
        OSError: it cannot be written.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise InvalidRequestError(f"{path.name!r} must end in .csv, .jsonl or .parquet, which says how it is written.")
    await anyio.to_thread.run_sync(write, path, _rows(writer, campaign))


def _rows(writer: Writer, campaign: int) -> Iterator[ReportRow]:
    """Yield all rows, from a worker thread."""
    after = 0
    while page := anyio.from_thread.run(
        writer.run, partial(store.page_of_recipients, campaign=campaign, after=after, limit=_PAGE)
    ):
        for number, state, message_id, detail, recipients in page:
            after = number
            people = ((person.row, person.number) for person in recipients)
            yield from chunk_rows(number, state, message_id, detail, people)
    load, row = 0, 0
    while left := anyio.from_thread.run(
        writer.run, partial(store.page_of_skipped, campaign=campaign, after=(load, row), limit=_PAGE)
    ):
        for load, row, reason, given, detail in left:  # noqa: B007 - the last ones begin the next page
            yield skipped_row(row, reason, given, detail)


def _write_parquet(path: Path, rows: Iterator[ReportRow]) -> None:
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(
            f"{path.name} is a Parquet file, which needs an extra: pip install 'callsavvy-async[parquet]'"
        ) from None
    types = {"row": pyarrow.int64(), "call": pyarrow.int64()}
    names = [field.name for field in attrs.fields(ReportRow)]
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in names])
    path.touch(0o600)
    path.chmod(0o600)
    with parquet.ParquetWriter(path, schema) as file:
        while group := [attrs.asdict(row) for row in islice(rows, _ROW_GROUP)]:
            file.write_table(pyarrow.Table.from_pylist(group, schema=schema))


_WRITERS = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": _write_parquet}
