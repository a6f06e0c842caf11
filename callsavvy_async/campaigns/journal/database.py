"""What a journal asks of the database that it lies in.

`sqlite.py` and `postgres.py` answer it. Everything else in this package speaks one SQL to both, that of SQLite, in which

- ``?`` stands for a value,
- ``clock()`` is the time in seconds since 1970, on the one clock that all who write the journal share,
- ``/*! ... */`` holds what only a database needs that several processes use at once: the locking of rows. To SQLite,
  where one process has the whole file, it is a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.errors import CallsavvyError


class Cursor(Protocol):
    """What runs statements: the part of DB-API that is used."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        ...

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> object:
        """Run a statement for each of some rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None when there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """One connection to where a journal lies. It is used by one thread, the writer's."""

    @property
    def name(self) -> str:
        """What it is called in texts, without a secret."""
        ...

    @property
    def lease(self) -> float | None:
        """Seconds after which a run that does not write is taken for dead; None where one process has the journal."""
        ...

    def open(self) -> None:
        """Connect, and bring the journal to the current version.

        Raises:
            JournalError: it cannot be opened, or is no journal of ours.
        """
        ...

    def renew(self) -> None:
        """Make sure before each transaction that the journal is there, connecting again if need be.

        Raises:
            JournalUnavailableError: it is not.
        """
        ...

    def cursor(self) -> Cursor:
        """Return a cursor. Outside of BEGIN and COMMIT every statement is durable by itself."""
        ...

    def close(self) -> None:
        """Disconnect. What was committed is long durable, so nothing is raised."""
        ...

    def explain(self, error: BaseException) -> BaseException:
        """Return what an error means for the journal; one that is not of the database's is returned as it is."""
        ...

    def damages(self, cursor: Cursor) -> list[str]:
        """Say what is wrong with the database itself."""
        ...

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite what holds personal data, so that nothing deleted is left in it. Outside of any transaction."""
        ...


def explain_content(error: BaseException, name: str) -> BaseException:
    """Return what an error of reading what the database gave means; any other is returned as it is."""
    if isinstance(error, CallsavvyError):
        return error
    if isinstance(error, ValueError | ArithmeticError | TypeError):
        # no state, number or text of ours; it is not repeated, since it may be what is left of somebody's number
        return JournalDamagedError(f"{name} is damaged: it holds what no journal does. Restore it from a copy.")
    return error
