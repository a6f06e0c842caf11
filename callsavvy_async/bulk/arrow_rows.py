"""Read tables of other libraries through the Arrow C stream interface: pandas, polars, DuckDB, pyarrow and others.

See https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any, Protocol, TypeGuard

from callsavvy_async.bulk.row_fields import cell_text
from callsavvy_async.errors import ConfigurationError

BATCH = 4096
"""Rows converted at once."""


class SupportsArrowStream(Protocol):
    """A table of any library, read by its rows."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the table as an Arrow C stream."""
        ...


def is_arrow_table(value: object) -> TypeGuard[SupportsArrowStream]:
    """Return whether a value is a table or a stream of batches. A column is not: iterating over it yields its cells."""
    if not hasattr(value, "__arrow_c_stream__"):
        return False
    names = (getattr(value, name, None) for name in ("columns", "column_names", "schema"))
    return any(name is not None and not callable(name) for name in names)


def arrow_rows(table: SupportsArrowStream) -> Iterator[dict[str, str | float]]:
    """Yield the rows of a table, batch by batch.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
    except ImportError:
        raise ConfigurationError(
            f"recipients is a {type(table).__name__}; to read it, run: pip install 'callsavvy-async[parquet]', or give a list"
            " of its rows."
        ) from None
    return _rows_of_batches(pyarrow.RecordBatchReader.from_stream(table))


def batch_rows(batch: Any) -> Iterator[dict[str, str | float]]:
    """Yield the rows of a ``pyarrow.RecordBatch``."""
    for row in batch.to_pylist():
        yield {column: _cell(value) for column, value in row.items()}


def _rows_of_batches(reader: Any) -> Iterator[dict[str, str | float]]:
    with reader:
        for batch in reader:
            for part in range(0, batch.num_rows, BATCH):
                yield from batch_rows(batch.slice(part, BATCH))


def _cell(value: object) -> str | float:
    """Convert a cell to text: lists and objects to JSON, invalid UTF-8 to surrogates, which `RecipientFilter` refuses."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else cell_text(value)
