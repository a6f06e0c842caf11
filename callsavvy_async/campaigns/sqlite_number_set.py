"""Phone numbers that were seen, kept on disk: memory does not grow with the list.

Theory: a number is told by its integer value (E.164: at most 15 digits, none of them a leading 0), so a B-tree of
integers answers exactly whether it was there before. SQLite makes one in a temporary database that has no name, is
written only when its page cache is full, and is gone when it is closed or its process ends. Nothing of it is ever
synchronised: after a crash it is filled again from the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from callsavvy_async.campaigns.errors import JournalUnavailableError

CACHE = 16 * 1024
"""KiB of memory, whatever the number of numbers."""


class SqliteNumberSet:
    """A growing set of normalised phone numbers. Use it as a context manager, in one thread."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}"):
            self._connection.execute(f"PRAGMA {setting}").fetchall()  # PyPy ends a statement only with its last row
        self._connection.execute("CREATE TABLE seen (number INTEGER PRIMARY KEY)")
        self._connection.execute(
            "BEGIN"
        )  # once, for all: a transaction for each number would cost more than the number
        self._insert = self._connection.cursor()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, number: str) -> bool:
        """Add a number; False if it was there already.

        Raises:
            JournalUnavailableError: the temporary file cannot grow.
        """
        return self.add_all(((int(number),),)) == 1

    def add_all(self, numbers: Iterable[tuple[int]]) -> int:
        """Add the integer values of numbers; return how many were not there already."""
        try:
            return self._insert.executemany("INSERT OR IGNORE INTO seen VALUES (?)", numbers).rowcount
        except sqlite3.Error as error:
            raise JournalUnavailableError(
                f"the numbers that were seen cannot be kept: {error}. They lie in a temporary file; TMPDIR says where."
            ) from None
