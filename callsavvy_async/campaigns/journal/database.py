"""The interface between a journal and its database, implemented by `sqlite.py` and `postgres.py`.

All other modules write the SQL of SQLite, with these conventions:

- ``?`` is a placeholder for a value.
- ``clock()`` is the time in seconds since 1970, on the clock that all processes share.
- ``(SELECT CAST(? AS TEXT) AS name, ...) AS given`` is a row of values. `for_each` executes a statement for many of them.
- ``/*! ... */`` encloses row locks for databases with several writers. SQLite, which has one, treats it as a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError
from callsavvy_async.errors import CallsavvyError

T = TypeVar("T")


class Cursor(Protocol):
    """The subset of a DB-API cursor that the journal needs."""

    @property
    def rowcount(self) -> int:
        """Number of rows that the last statement changed."""
        ...

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Cursor:
        """Execute a statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> object:
        """Execute a statement for each row of values."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """One connection to a journal's database. Only the writer's thread uses it."""

    @property
    def name(self) -> str:
        """Name of the database in errors, without secrets."""
        ...

    @property
    def lease(self) -> float | None:
        """Seconds without a heartbeat after which a run counts as dead; None for a database with one writer."""
        ...

    @property
    def session(self) -> int:
        """Random number of the connection. In a database of several processes a lock on it ends with the connection."""
        ...

    def open(self) -> None:
        """Connect, and create the tables of a new journal.

        Raises:
            JournalError: the database cannot be opened, or belongs to another application.
        """
        ...

    def renew(self) -> None:
        """Check before a transaction that the journal is available, and reconnect if necessary.

        Raises:
            JournalUnavailableError: the journal is unavailable.
        """
        ...

    def cursor(self) -> Cursor:
        """Return a cursor. Outside of BEGIN and COMMIT, each statement is durable immediately."""
        ...

    def for_each(self, cursor: Cursor, statement: str, rows: Sequence[Sequence[object]]) -> list[Any]:
        """Execute a statement with a subquery ``given`` for each row of values, and return the rows of all results.

        A server executes it once for all rows of values, and returns results in any order.
        """
        ...

    @property
    def takes_turns(self) -> bool:
        """True if transactions with a turn wait for those of other processes, and so should hold nothing else."""
        ...

    def take_turns(self, cursor: Cursor) -> None:
        """Take a turn: from now until the end of its transaction, no other process takes one. Later transactions do the same.

        A transaction takes its turn before its other locks, because it may wait for it.
        """
        ...

    def commit(self, cursor: Cursor) -> None:
        """Commit the current transaction durably."""
        ...

    def close(self) -> None:
        """Disconnect. Never raises, because every commit is already durable."""
        ...

    def steer(self, cursor: Cursor, work: Callable[[Cursor], T]) -> T:
        """Run a unit of work on the tables of `commands.py`, in a separate transaction. Call it outside of transactions.

        It works for a journal that is open for reading only, and while another process writes the journal.
        """
        ...

    def is_abandoned(self) -> bool:
        """Return True if all runs without an end are provably dead."""
        ...

    def explain(self, error: BaseException) -> BaseException:
        """Translate an error of the database into one of the journal. Return other errors unchanged."""
        ...

    def damages(self, cursor: Cursor) -> list[str]:
        """Return descriptions of damage to the database file."""
        ...

    def forget_deleted(self, cursor: Cursor) -> None:
        """Rewrite the tables with personal data, to erase deleted rows. Call it outside of transactions."""
        ...

    def backup(self, cursor: Cursor, path: Path) -> None:
        """Write a copy of the journal to a new file. Call it outside of transactions.

        Raises:
            JournalError: the file cannot be written, or the database has its own backup tools.
        """
        ...


def explain_content(error: BaseException, name: str) -> BaseException:
    """Translate an error about the journal's content. Return other errors unchanged.

    An invalid state, number or text in the journal means damage. A text or number that cannot be stored came from outside.
    The errors omit the value, because it may be part of a phone number.
    """
    if isinstance(error, CallsavvyError):
        return error
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return JournalError(f"{name} cannot store a text or a number of this update: {type(error).__name__}.")
    if isinstance(error, ValueError | ArithmeticError | TypeError):
        return damaged(name, "a value in it is invalid")
    return error


def damaged(name: str, why: str) -> JournalDamagedError:
    """Return the error for a damaged journal. Its advice never leads to a second send."""
    return JournalDamagedError(
        f"{name} is damaged: {why}. Nothing is sent from it. An older copy lacks what was sent since; see 'Backups and damage'"
        " in docs/how-to/campaigns.md."
    )
