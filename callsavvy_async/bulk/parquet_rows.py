"""Rows of a Parquet file, by the ``parquet`` extra."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from callsavvy_async.bulk.columns import field_text
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

_BATCH = 4096


def parquet_rows(path: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a Parquet file, read batch by batch.

    Raises:
        ConfigurationError: the extra is not installed.
        InvalidRequestError: it is no Parquet file.
    """
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(
            f"{path} is a Parquet file, which needs an extra: pip install 'callsavvy-async[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield {name: field_text(value) for name, value in row.items()}
    except pyarrow.ArrowException:
        raise InvalidRequestError(f"{path} is no readable Parquet file; write it again, or as CSV.") from None
