"""Files of recipients as people have them: CSV, JSON lines, plain lines, Parquet; gzipped or not, or standard input.

Everything is streamed: memory does not grow with the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import PurePath
from typing import Literal, TypeAlias, cast, get_args

from callsavvy_async.bulk.columns import number_column
from callsavvy_async.bulk.csv_rows import DELIMITERS, csv_rows
from callsavvy_async.bulk.file_lines import FileLines, open_lines
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.parquet_rows import parquet_rows
from callsavvy_async.bulk.recipients import suppression
from callsavvy_async.errors import InvalidRequestError

FileFormat: TypeAlias = Literal["auto", "csv", "jsonl", "lines", "parquet"]
"""How a file is written; "auto" goes by its name, and by its first line where the name does not tell."""

Row: TypeAlias = str | dict[str, str]
"""A bare number, or a row by the names of its columns."""

_BY_SUFFIX: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


# `format` is what everybody calls it (pandas, polars, pyarrow), and the builtin is not used here.
def read_rows(path: str | os.PathLike[str], *, format: FileFormat = "auto") -> Iterator[Row]:  # noqa: A002
    """Yield every data row of a file, or of standard input for "-".

    - CSV: delimited by comma, semicolon, tab or bar; a header row, unless it is a single column of numbers.
    - JSON lines: an object or a text a line.
    - Lines: one number a line; blank lines and those that begin with ``#`` are passed over.
    - Parquet: needs the extra ``parquet``.

    Raises:
        InvalidRequestError: naming the file, the line, the rule and the fix. Raised when the row is reached.
        ConfigurationError: Parquet without its extra.
        OSError: the file cannot be opened or read.
    """
    if format not in get_args(FileFormat):
        raise InvalidRequestError(f"format is {format!r}; it must be one of {', '.join(get_args(FileFormat))}.")
    name = os.fspath(path)
    known = _format_by_name(name) if format == "auto" else format
    return parquet_rows(name) if known == "parquet" else _text_rows(name, known)


def read_suppressed(path: str | os.PathLike[str], *, column: str | None = None, region: str | None = None) -> NumberSet:
    """Read the numbers that must get nothing from a file; for `suppress=`.

    Args:
        path: in any format that `read_rows` knows.
        column: the column that holds the numbers; guessed when None.
        region: as for the recipients: whose national numbers are understood (extra ``phone``).

    Raises:
        InvalidRequestError: a row is no phone number: its owner might be sent to.
    """
    rows = read_rows(path)
    numbers = (row if isinstance(row, str) else row[number_column(row, column)] for row in rows)
    return suppression(numbers, region=region, source=os.fspath(path))


def _format_by_name(name: str) -> FileFormat:
    return _BY_SUFFIX.get(PurePath(name.lower().removesuffix(".gz")).suffix, "auto")


def _text_rows(name: str, known: FileFormat) -> Iterator[Row]:
    with open_lines(name) as lines:
        match known if known != "auto" else _format_by_content(lines):
            case "csv":
                yield from csv_rows(lines)
            case "jsonl":
                yield from _json_rows(lines)
            case _:
                yield from _plain_rows(lines)


def _format_by_content(lines: FileLines) -> FileFormat:
    """Tell by the first line with content: an object, several cells or a column's name; else plain lines."""
    first = (lines.skip_to_content() or "").strip()
    if first.startswith(("{", '"+')):
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


def _json_rows(lines: FileLines) -> Iterator[Row]:
    for line in lines:
        if line.strip():
            yield _json_row(line, lines)


def _json_row(line: str, lines: FileLines) -> Row:
    try:
        # Numbers stay as they are written: 2.3e12 and 2348012345678.0 must be seen for what they are.
        row: object = json.loads(line, parse_int=str, parse_float=str, parse_constant=lambda _: "")
    except (ValueError, RecursionError):
        raise lines.fault("it is no JSON; write one object or one text a line.") from None
    if isinstance(row, str):
        return row
    if isinstance(row, dict):
        return {name: _json_text(value) for name, value in cast("dict[str, object]", row).items()}
    raise lines.fault("it is neither an object nor a text; write one recipient a line.")


def _json_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
