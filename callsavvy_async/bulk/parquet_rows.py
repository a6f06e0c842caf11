"""Rows of a Parquet file, by the ``parquet`` extra."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import IO

from callsavvy_async.bulk.row_fields import field_text
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

_BATCH = 4096


def parquet_rows(stream: IO[bytes], name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a Parquet file, read batch by batch.

    Args:
        stream: the file; it must be seekable.
        name: of the file, for errors.

    Raises:
        ConfigurationError: the extra is not installed.
        InvalidRequestError: it is no Parquet file.
    """
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(
            f"{name} is a Parquet file, which needs an extra: pip install 'callsavvy-async[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(stream) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield {column: _cell_text(value) for column, value in row.items()}
    except pyarrow.ArrowException:
        raise InvalidRequestError(f"{name} is no readable Parquet file; write it again, or as CSV.") from None


def _cell_text(value: object) -> str:
    """Write a cell as text: lists and objects as JSON; what is no UTF-8 becomes surrogates, which no send takes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else field_text(value)
