"""A set of phone numbers on disk, so that memory does not grow with the list.

Theory: the integer value identifies a number (E.164: at most 15 digits, no leading 0), so a B-tree of integers answers
exactly whether the set contains it. SQLite keeps the B-tree in an unnamed temporary database, which reaches the disk
only when the page cache is full and disappears with its connection. It is never synchronised: after a crash, the journal
fills a new set.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from callsavvy_async.campaigns.errors import JournalUnavailableError

CACHE = 16 * 1024
"""KiB of memory, independent of the size of the set."""

_SIZES = (500, 50, 5, 1)
"""Numbers of a statement. Few sizes, because sqlite3 keeps the statements; below the 999 parameters of old versions of SQLite."""
_INSERT = "INSERT INTO known VALUES {} ON CONFLICT (number) DO UPDATE SET number = number WHERE note(excluded.number)"
"""Calls a function for each number that the set contains, and changes nothing then: RETURNING takes 0.5 µs more a number."""


class SqliteNumberSet:
    """A growing set of normalised phone numbers. Use it as a context manager, in a single thread."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}"):
            self._connection.execute(f"PRAGMA {setting}").fetchall()  # PyPy ends a statement only with its last row
        self._connection.execute("CREATE TABLE known (number INTEGER PRIMARY KEY)")
        self._connection.execute("BEGIN")  # never committed: a transaction per number would cost more than the insert
        self._known: list[int] = []
        self._connection.create_function("note", 1, self._known.append)
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
        return not self.add_all((int(number),))

    def add_all(self, numbers: Sequence[int]) -> Sequence[int]:
        """Add numbers as integers. Return the indices of those that the set contained, in order.

        A block in one statement takes 0.7 µs a number; a statement for each takes 1.6.

        Raises:
            JournalUnavailableError: as for `add`.
        """
        self._known.clear()
        begin = 0
        for size in _SIZES:
            while begin + size <= len(numbers):
                self._add_block(numbers[begin : begin + size])
                begin += size
        self._count += len(numbers) - len(self._known)
        return _last_indices(numbers, Counter(self._known)) if self._known else ()

    def _add_block(self, numbers: Sequence[int]) -> None:
        try:
            self._insert.execute(_INSERT.format(",".join(["(?)"] * len(numbers))), numbers)
        except sqlite3.Error as error:
            raise JournalUnavailableError(
                f"the temporary file of known numbers cannot be written: {error}. TMPDIR selects its folder."
            ) from None


def _last_indices(numbers: Sequence[int], counts: Counter[int]) -> list[int]:
    """Return the indices of the last occurrences of numbers, as many as are counted, in order."""
    found: list[int] = []
    for index in range(len(numbers) - 1, -1, -1):
        if counts[numbers[index]]:
            counts[numbers[index]] -= 1
            found.append(index)
    return found[::-1]
