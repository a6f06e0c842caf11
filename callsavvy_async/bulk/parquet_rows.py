"""Read rows of a Parquet file (extra ``parquet``)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import IO

from callsavvy_async.bulk.row_fields import field_text
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

_BATCH = 4096


def parquet_rows(stream: IO[bytes], name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a Parquet file, batch by batch.

    Args:
        stream: the file; must be seekable.
        name: name of the file, for errors.

    Raises:
        ConfigurationError: the extra is not installed.
        InvalidRequestError: the file is not a readable Parquet file.
    """
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(
            f"{name} is a Parquet file; to read it, run: pip install 'callsavvy-async[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(stream) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield {column: _cell_text(value) for column, value in row.items()}
    except pyarrow.ArrowException:
        raise InvalidRequestError(f"{name} is not a readable Parquet file; write it again, or as CSV.") from None


def _cell_text(value: object) -> str:
    """Convert a cell to text: lists and objects to JSON, invalid UTF-8 to surrogates, which `RecipientFilter` refuses."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else field_text(value)
