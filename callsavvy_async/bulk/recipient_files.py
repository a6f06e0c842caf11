"""Read files of recipients, optionally gzipped, or standard input: CSV, JSON, plain lines, vCard, Excel or Parquet.

Files are streamed in constant memory, apart from workbooks of Excel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from itertools import chain
from typing import IO, cast, get_args

from callsavvy_async.bulk.column_detection import NumberColumns, number_columns
from callsavvy_async.bulk.file_lines import beginning_of, decompressed, open_lines
from callsavvy_async.bulk.foreign_files import refuse_foreign
from callsavvy_async.bulk.list_formats import FileFormat, ListFormat, Row, format_by_content, format_of
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.report_rows import check_only, pick
from callsavvy_async.bulk.row_block import BlockIterator, singly
from callsavvy_async.bulk.row_fields import read_fields
from callsavvy_async.bulk.suppression import suppression
from callsavvy_async.errors import InvalidRequestError


class FileRows(BlockIterator[Row]):
    """The rows of a file, read lazily.

    Attributes:
        name: name of the file.
        count: number of rows read so far.
    """

    def __init__(
        self, name: str, read: Callable[[FileRows], Generator[Sequence[Row]]], only: Sequence[str] | None = None
    ) -> None:
        if only is not None:
            check_only(only)
        self.name = name
        self.format: ListFormat | None = None
        """Format of the file; None before the first row was read."""
        self.notes: list[str] = []
        self._only = only
        self._read = read(self)
        super().__init__(self._read if only is None else singly(pick(chain.from_iterable(self._read), only, name)))

    @property
    def description(self) -> str:
        """The name and the format of the file, once reading began: "people.xlsx (Excel, sheet 'Lagos')"."""
        if self.format is None:
            return self.name
        picked = [] if self._only is None else [f"only {' and '.join(self._only)}"]
        return f"{self.name} ({', '.join([self.format.title, *self.notes, *picked])})"

    def close(self) -> None:
        """Stop reading."""
        self._rest = iter(())
        self._read.close()


# pandas, polars and pyarrow call the argument `format` too.
def read_rows(
    path: str | os.PathLike[str],
    *,
    format: FileFormat = "auto",  # noqa: A002
    sheet: str | None = None,
    encoding: str | None = None,
    only: Sequence[str] | None = None,
) -> FileRows:
    """Yield every data row of a file, or of standard input for "-".

    - CSV: delimited by comma, semicolon, tab or bar, or by the character that a first line such as ``sep=;`` names. It needs
      a header row, unless it is a single column of numbers.
    - JSON: one object or string a line, or an array of them.
    - Lines: one number a line. Blank lines and lines that begin with ``#`` are skipped.
    - vCard: one row a card, with the columns of an export of Google Contacts.
    - Excel: needs the extra ``excel``. A row as in CSV. A number that lost digits stays a float, which a send skips.
    - Parquet: needs the extra ``parquet``.

    Args:
        path: the file.
        format: format of the file.
        sheet: sheet of an Excel workbook; None for the only one that is not empty.
        encoding: encoding of a text file, such as "windows-1252"; None for the one of its byte order mark, else UTF-8.
        only: outcomes to pick, such as ``("pending", "rejected")``, if the file is the report of an earlier send.

    Raises:
        InvalidRequestError: the file or a row is not valid. The error names the file, the line, the rule and the fix. Raised
            when the row is reached.
        ConfigurationError: the extra of the format is not installed.
        OSError: the file cannot be opened or read.
    """
    if format not in get_args(FileFormat):
        raise InvalidRequestError(f"format is {format!r}; it must be one of {', '.join(get_args(FileFormat))}.")
    place = os.fspath(path)
    if place == "-":
        return read_stream(sys.stdin.buffer, "standard input", format=format, sheet=sheet, encoding=encoding, only=only)

    def read(rows: FileRows) -> Generator[Sequence[Row]]:
        with open(place, "rb") as stream:  # noqa: PTH123 - errors show the path as the user wrote it
            yield from _rows_of(stream, rows, format, sheet=sheet, encoding=encoding)

    return FileRows(place, read, only)


def read_stream(
    stream: IO[bytes],
    name: str,
    *,
    format: FileFormat = "auto",  # noqa: A002
    sheet: str | None = None,
    encoding: str | None = None,
    only: Sequence[str] | None = None,
) -> FileRows:
    """Yield every data row of an open file, as `read_rows` does.

    Args:
        stream: buffered stream, open for reading.
        name: name of the file, for its format and for errors.
        format: format of the file.
        sheet: sheet of an Excel workbook.
        encoding: encoding of a text file.
        only: outcomes to pick from a report.
    """
    return FileRows(name, lambda rows: _rows_of(stream, rows, format, sheet=sheet, encoding=encoding), only)


def read_suppressed(
    path: str | os.PathLike[str],
    *,
    column: str | Sequence[str] | None = None,
    region: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
) -> NumberSet:
    """Read a file of suppressed numbers, for `suppress=`.

    An address book's export suppresses all numbers of each person.

    Args:
        path: a file in any format of `read_rows`.
        column: the column of the numbers, or several; detected when None.
        region: ISO 3166 code of the country whose national numbers are accepted (extra ``phone``), as for the recipients.
        sheet: sheet of an Excel workbook, as for `read_rows`.
        encoding: encoding of a text file, as for `read_rows`.

    Raises:
        InvalidRequestError: a row is not a phone number, so its owner might get a message.
    """
    rows = read_rows(path, sheet=sheet, encoding=encoding)
    return suppression(_numbers(rows, column), region=region, source=os.fspath(path))


def _numbers(rows: FileRows, column: str | Sequence[str] | None) -> Iterator[str]:
    columns: NumberColumns | None = None
    for row in rows:
        if isinstance(row, str):
            yield row
        else:
            columns = columns or _columns_of(row, column, rows.name)
            fields, _ = read_fields(row)
            yield from columns.numbers_of(fields) or ("",)


def _columns_of(row: Collection[str], column: str | Sequence[str] | None, name: str) -> NumberColumns:
    try:
        return number_columns(row, column)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{name}: {error}") from None  # the list of recipients is another file


def _rows_of(
    stream: IO[bytes], rows: FileRows, asked: FileFormat, *, sheet: str | None, encoding: str | None
) -> Generator[Sequence[Row]]:
    content = decompressed(stream)
    beginning = beginning_of(content).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    refuse_foreign(beginning, rows.name)
    known = format_of(asked, rows.name, beginning)
    if known is not None and known.read_binary is not None:
        _refuse(rows, known, encoding=encoding, sheet=None if known.has_sheets else sheet)
        rows.format = known
        yield from singly(known.read_binary(content, rows.name, sheet, rows.notes))
        return
    with open_lines(content, rows.name, encoding) as lines:
        known = known or format_by_content(lines)
        _refuse(rows, known, sheet=sheet)
        rows.format, rows.notes = known, lines.notes
        yield from cast("Callable[..., Iterator[Sequence[Row]]]", known.read)(lines)


def _refuse(rows: FileRows, known: ListFormat, **options: str | None) -> None:
    """Refuse options that the format has no use for."""
    for name, value in options.items():
        if value is not None:
            raise InvalidRequestError(
                f"the {name} {value!r} is named, but {rows.name} is {known.title}, which has none; leave it out."
            )
