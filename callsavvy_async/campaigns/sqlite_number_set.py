"""A set of phone numbers on disk, so that memory does not grow with the list.

Theory: the integer value identifies a number (E.164: at most 15 digits, no leading 0), so a B-tree of integers answers
exactly whether the set contains it. SQLite keeps the B-tree in an unnamed temporary database, which reaches the disk
only when the page cache is full and disappears with its connection. It is never synchronised: after a crash, the journal
fills a new set.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from callsavvy_async.campaigns.errors import JournalUnavailableError

CACHE = 16 * 1024
"""KiB of memory, independent of the size of the set."""


class SqliteNumberSet:
    """A growing set of normalised phone numbers. Use it as a context manager, in a single thread."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}"):
            self._connection.execute(f"PRAGMA {setting}").fetchall()  # PyPy ends a statement only with its last row
        self._connection.execute("CREATE TABLE known (number INTEGER PRIMARY KEY)")
        self._connection.execute("BEGIN")  # never committed: a transaction per number would cost more than the insert
        self._insert = self._connection.cursor()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def __len__(self) -> int:
        return self._count

    def add(self, number: str) -> bool:
        """Add a number. Return False if the set contained it.

        Raises:
            JournalUnavailableError: the temporary file cannot grow.
        """
        return self.add_all(((int(number),),)) == 1

    def add_all(self, numbers: Iterable[tuple[int]]) -> int:
        """Add the integer values of numbers. Return the count of numbers that are new to the set."""
        try:
            added = self._insert.executemany("INSERT OR IGNORE INTO known VALUES (?)", numbers).rowcount
        except sqlite3.Error as error:
            raise JournalUnavailableError(
                f"the temporary file of known numbers cannot be written: {error}. TMPDIR selects its folder."
            ) from None
        self._count += added
        return added
