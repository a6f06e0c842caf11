"""Read files of recipients: CSV, JSON, plain lines or Parquet, optionally gzipped, or standard input.

Files are streamed in constant memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import IO, Literal, TypeAlias, get_args

from callsavvy_async.bulk.column_detection import NumberColumns, number_columns
from callsavvy_async.bulk.csv_rows import DELIMITERS, csv_rows
from callsavvy_async.bulk.file_lines import FileLines, open_lines
from callsavvy_async.bulk.json_rows import json_rows
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.parquet_rows import parquet_rows
from callsavvy_async.bulk.recipients import suppression
from callsavvy_async.errors import InvalidRequestError

FileFormat: TypeAlias = Literal["auto", "csv", "jsonl", "lines", "parquet"]
"""Format of a file. "auto" is decided by its name, else by its first line."""

Row: TypeAlias = str | dict[str, str]
"""A bare number, or a row by the names of its columns."""

_BY_SUFFIX: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


# pandas, polars and pyarrow call the argument `format` too.
def read_rows(path: str | os.PathLike[str], *, format: FileFormat = "auto") -> Iterator[Row]:  # noqa: A002
    """Yield every data row of a file, or of standard input for "-".

    - CSV: delimited by comma, semicolon, tab or bar, or by the character that a first line such as ``sep=;`` names. It needs
      a header row, unless it is a single column of numbers.
    - JSON: one object or string a line, or an array of them.
    - Lines: one number a line. Blank lines and lines that begin with ``#`` are skipped.
    - Parquet: needs the extra ``parquet``.

    Raises:
        InvalidRequestError: the file or a row is not valid. The error names the file, the line, the rule and the fix. Raised
            when the row is reached.
        ConfigurationError: the file is Parquet, and the extra is not installed.
        OSError: the file cannot be opened or read.
    """
    if format not in get_args(FileFormat):
        raise InvalidRequestError(f"format is {format!r}; it must be one of {', '.join(get_args(FileFormat))}.")
    return _rows_at(os.fspath(path), format)


def read_stream(stream: IO[bytes], name: str, *, format: FileFormat = "auto") -> Iterator[Row]:  # noqa: A002
    """Yield every data row of an open file, as `read_rows` does.

    Args:
        stream: buffered stream, open for reading.
        name: name of the file, for its format and for errors.
        format: format of the file.
    """
    known = _BY_SUFFIX.get(PurePath(name.lower().removesuffix(".gz")).suffix, "auto") if format == "auto" else format
    return parquet_rows(stream, name) if known == "parquet" else _text_rows(stream, name, known)


def read_suppressed(
    path: str | os.PathLike[str], *, column: str | Sequence[str] | None = None, region: str | None = None
) -> NumberSet:
    """Read a file of suppressed numbers, for `suppress=`.

    An address book's export suppresses all numbers of each person.

    Args:
        path: a file in any format of `read_rows`.
        column: the column of the numbers, or several; detected when None.
        region: ISO 3166 code of the country whose national numbers are accepted (extra ``phone``), as for the recipients.

    Raises:
        InvalidRequestError: a row is not a phone number, so its owner might get a message.
    """
    return suppression(_numbers(read_rows(path), column), region=region, source=os.fspath(path))


def _numbers(rows: Iterator[Row], column: str | Sequence[str] | None) -> Iterator[str]:
    columns: NumberColumns | None = None
    for row in rows:
        if isinstance(row, str):
            yield row
        else:
            columns = columns or number_columns(row, column)
            yield from columns.numbers_of(row) or ("",)


def _rows_at(path: str, known: FileFormat) -> Iterator[Row]:
    if path == "-":
        yield from read_stream(sys.stdin.buffer, "standard input", format=known)
        return
    with open(path, "rb") as stream:  # noqa: PTH123 - errors show the path as the user wrote it
        yield from read_stream(stream, path, format=known)


def _text_rows(stream: IO[bytes], name: str, known: FileFormat) -> Iterator[Row]:
    with open_lines(stream, name) as lines:
        match known if known != "auto" else _format_by_content(lines):
            case "csv":
                yield from csv_rows(lines)
            case "jsonl":
                yield from json_rows(lines)
            case _:
                yield from _plain_rows(lines)


def _format_by_content(lines: FileLines) -> FileFormat:
    """Return the format by the first line with content: JSON, CSV if it has several cells or a name, else plain lines."""
    first = (lines.skip_to_content() or "").strip()
    if first.startswith(("{", "[", '"+')):
        return "jsonl"
    if first.startswith("#"):
        return "lines"
    has_header = bool(first) and not any(char.isdecimal() for char in first)
    return "csv" if has_header or any(delimiter in first for delimiter in DELIMITERS) else "lines"


def _plain_rows(lines: FileLines) -> Iterator[str]:
    for line in lines:
        number = line.strip()
        if number and not number.startswith("#"):
            yield number
