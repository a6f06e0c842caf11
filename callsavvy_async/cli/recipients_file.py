"""A list of recipients that is read twice: once to plan, once to send."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from callsavvy_async.bulk.files import Row, read_rows

Rows: TypeAlias = Callable[[], Iterator[Row]]
"""Reads the list from its beginning."""


@contextmanager
def readable_again(file: str) -> Generator[Rows]:
    """Give a way to read a list as often as needed.

    Standard input and pipes (as of the shell's ``<(...)``) come only once, so they are first copied to an anonymous
    temporary file: it has no name, and is gone when it is closed.
    """
    if file == "-":
        with _spooled(sys.stdin.buffer) as rows:
            yield rows
    elif Path(file).is_file() or not Path(file).exists():
        yield lambda: read_rows(file)
    else:
        with open(file, "rb") as pipe, _spooled(pipe) as rows:  # noqa: PTH123 - no regular file
            yield rows


@contextmanager
def _spooled(source: IO[bytes]) -> Generator[Rows]:
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool)
        replayed = io.TextIOWrapper(spool)

        def rows() -> Iterator[Row]:
            spool.seek(0)
            stdin, sys.stdin = sys.stdin, replayed
            try:
                yield from read_rows("-")
            finally:
                sys.stdin = stdin  # where a person may have to answer

        try:
            yield rows
        finally:
            replayed.detach()
