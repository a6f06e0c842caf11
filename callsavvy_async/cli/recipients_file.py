"""A list of recipients that is read twice: once to plan, once to send. Both times it is the same list.

So it is copied first, to an anonymous temporary file: it has no name, and is gone when it is closed. What becomes of the
file meanwhile (an export that is written anew, a synchronised folder) is not sent; standard input and pipes, as of the
shell's ``<(...)``, come only once anyway.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import IO, TypeAlias, cast

from callsavvy_async.bulk.recipient_files import Row, read_stream
from callsavvy_async.errors import InvalidRequestError

Rows: TypeAlias = Callable[[], Iterator[Row]]
"""Reads the list from its beginning."""


@contextmanager
def readable_again(file: str, *, allow_empty: bool = False) -> Generator[Rows]:
    """Give a way to read a list as often as needed.

    Args:
        file: a path, or "-" for standard input.
        allow_empty: a list without a row is no mistake.

    Raises:
        InvalidRequestError: the list is empty.
        OSError: it cannot be read, or not be copied.
    """
    name = "standard input" if file == "-" else file
    with tempfile.TemporaryFile() as spool:
        _copy(file, spool)

        def rows() -> Iterator[Row]:
            spool.seek(0)
            return read_stream(spool, name)

        if not allow_empty:
            _refuse_empty(rows(), name)
        yield rows


def _copy(file: str, spool: IO[bytes]) -> None:
    if file == "-":
        shutil.copyfileobj(sys.stdin.buffer, spool)
        return
    with open(file, "rb") as source:  # noqa: PTH123 - a path as the user wrote it
        shutil.copyfileobj(source, spool)


def _refuse_empty(rows: Iterator[Row], name: str) -> None:
    with closing(cast("Generator[Row]", rows)) as read:
        if next(read, None) is None:
            raise InvalidRequestError(
                f"no recipients in {name}: it holds no row, or nothing but the names of columns. Where that is no mistake,"
                " say --allow-empty."
            )
