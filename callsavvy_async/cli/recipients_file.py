"""A list of recipients that can be read twice: once to plan, once to send.

The list is first copied to an anonymous temporary file, which disappears when it is closed. Changes to the original in the
meantime (a new export, a synchronised folder) have no effect, and standard input and pipes such as the shell's ``<(...)``
can be read only once anyway.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from typing import IO, TypeAlias

from callsavvy_async.bulk.list_formats import FileFormat
from callsavvy_async.bulk.recipient_files import FileRows, read_stream
from callsavvy_async.cli.contact_group import copy_group
from callsavvy_async.errors import InvalidRequestError

Rows: TypeAlias = Callable[[], FileRows]
"""Reads the list from the beginning at each call."""


@contextmanager
def readable_again(
    file: str,
    *,
    group: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    only: Sequence[str] | None = None,
    allow_empty: bool = False,
) -> Generator[Rows]:
    """Copy a list and yield a function that reads it, as often as needed.

    Args:
        file: Path, or "-" for standard input.
        group: Contact group of the account, to read instead of the file.
        sheet: Sheet of an Excel workbook.
        encoding: Encoding of a text file.
        only: Outcomes to pick from a report.
        allow_empty: Accept a list without rows.

    Raises:
        InvalidRequestError: The list is empty, or the group does not exist.
        OSError: The list cannot be read or copied.
    """
    name = "standard input" if file == "-" else file if group is None else f"contact group {group!r}"
    format_: FileFormat = "auto" if group is None else "jsonl"
    with tempfile.TemporaryFile() as spool:
        _copy(file, spool) if group is None else copy_group(group, spool)

        def rows() -> FileRows:
            spool.seek(0)
            return read_stream(spool, name, format=format_, sheet=sheet, encoding=encoding, only=only)

        if not allow_empty:
            _refuse_empty(rows(), name)
        yield rows


def _copy(file: str, spool: IO[bytes]) -> None:
    if file == "-":
        shutil.copyfileobj(sys.stdin.buffer, spool)
        return
    with open(file, "rb") as source:  # noqa: PTH123 - keeps the path as the user wrote it in errors
        shutil.copyfileobj(source, spool)


def _refuse_empty(rows: FileRows, name: str) -> None:
    with closing(rows) as read:
        if next(read, None) is None:
            raise InvalidRequestError(
                f"no recipients in {name}: it is empty or has only a header. If that is intended, add --allow-empty."
            )
