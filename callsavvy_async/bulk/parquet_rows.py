"""Read rows of a Parquet file (extra ``parquet``)."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import IO

from callsavvy_async.bulk.arrow_rows import BATCH, batch_rows
from callsavvy_async.errors import ConfigurationError, InvalidRequestError


def parquet_rows(stream: IO[bytes], name: str) -> Iterator[dict[str, str | float]]:
    """Yield the rows of a Parquet file, batch by batch. A pipe is first read into memory, because the format begins at its end.

    Args:
        stream: the file.
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
        with parquet.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read())) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield from batch_rows(batch)
    except pyarrow.ArrowException:
        raise InvalidRequestError(f"{name} is not a readable Parquet file; write it again, or as CSV.") from None
