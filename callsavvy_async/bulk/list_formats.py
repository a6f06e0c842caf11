"""The formats of lists. A format is one row of the table, and one file that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import IO, Literal, TypeAlias

import attrs

from callsavvy_async.bulk.csv_rows import csv_rows
from callsavvy_async.bulk.excel_rows import excel_rows
from callsavvy_async.bulk.file_lines import FileLines
from callsavvy_async.bulk.header_rows import DELIMITERS
from callsavvy_async.bulk.json_rows import json_rows
from callsavvy_async.bulk.line_rows import line_rows
from callsavvy_async.bulk.parquet_rows import parquet_rows
from callsavvy_async.bulk.row_block import singly
from callsavvy_async.bulk.vcard_rows import vcard_rows

FileFormat: TypeAlias = Literal["auto", "csv", "jsonl", "lines", "vcard", "excel", "parquet"]
"""Format of a file. "auto" is decided by its first bytes, else by its name, else by its first line."""

Row: TypeAlias = str | Mapping[str, str | float]
"""A bare number, or a row by the names of its columns. A cell is a float if it is a number that lost digits."""


@attrs.frozen
class ListFormat:
    """A format of lists.

    Attributes:
        title: its name in descriptions and errors.
        suffixes: suffixes of file names.
        magic: first bytes of every file of this format, in lower case, or nothing.
        read: reads a text in blocks of rows, for a text format.
        read_binary: reads a stream (its name, the sheet, notes for the description), for other formats.
        has_sheets: whether a file has several lists, of which one is read.
    """

    title: str
    suffixes: tuple[str, ...] = ()
    magic: bytes = b""
    read: Callable[[FileLines], Iterator[Sequence[Row]]] | None = None
    read_binary: Callable[[IO[bytes], str, str | None, list[str]], Iterator[Row]] | None = None
    has_sheets: bool = False


FORMATS: Mapping[str, ListFormat] = {
    "csv": ListFormat("CSV", (".csv", ".tsv"), read=csv_rows),
    "jsonl": ListFormat("JSON", (".jsonl", ".ndjson"), read=lambda lines: singly(json_rows(lines))),
    "lines": ListFormat("one number a line", read=line_rows),
    "vcard": ListFormat(
        "vCard", (".vcf", ".vcard"), magic=b"begin:vcard", read=lambda lines: singly(vcard_rows(lines))
    ),
    "excel": ListFormat("Excel", (".xlsx", ".xlsm"), magic=b"pk\x03\x04", read_binary=excel_rows, has_sheets=True),
    "parquet": ListFormat(
        "Parquet", (".parquet",), magic=b"par1", read_binary=lambda stream, name, _, __: parquet_rows(stream, name)
    ),
}
"""Every format, by its name in `FileFormat`."""


def format_of(asked: FileFormat, name: str, beginning: bytes) -> ListFormat | None:
    """Return the format of a file, or None if its first line has to decide.

    Args:
        asked: the format that the user names.
        name: name of the file.
        beginning: its first bytes.
    """
    if asked != "auto":
        return FORMATS[asked]
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    by_magic = next((known for known in FORMATS.values() if known.magic and beginning.startswith(known.magic)), None)
    return by_magic or next((known for known in FORMATS.values() if suffix in known.suffixes), None)


def format_by_content(lines: FileLines) -> ListFormat:
    """Return the format by the first line with content: JSON, CSV if it has several cells or a name, else plain lines."""
    first = (lines.skip_to_content() or "").strip()
    if first.startswith(("{", "[", '"+')):
        return FORMATS["jsonl"]
    has_header = bool(first) and not any(char.isdecimal() for char in first)
    is_table = has_header or any(delimiter in first for delimiter in DELIMITERS)
    return FORMATS["csv" if is_table and not first.startswith("#") else "lines"]
