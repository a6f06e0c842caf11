"""What a journal asks of the database that it lies in.

`sqlite.py` and `postgres.py` answer it. Everything else in this package speaks one SQL to both, that of SQLite, in which

- ``?`` stands for a value,
- ``clock()`` is the time in seconds since 1970, on the one clock that all who write the journal share,
- ``/*! ... */`` holds what only a database needs that several processes use at once: the locking of rows. To SQLite,
  where one process has the whole file, it is a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from callsavvy_async.campaigns.errors import JournalDamagedError, JournalError
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

    def commit(self, cursor: Cursor) -> None:
        """Make the transaction that is under way durable."""
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

    def backup(self, cursor: Cursor, path: Path) -> None:
        """Write a copy of the journal to a new file. Outside of any transaction.

        Raises:
            JournalError: it cannot be written, or the database has tools of its own for it.
        """
        ...


def explain_content(error: BaseException, name: str) -> BaseException:
    """Return what an error of handling the journal's content means; any other is returned as it is.

    What was read and is no state, number or text of ours is damage. What cannot be written is not: a text or a number that
    came from outside. Neither is repeated, since it may be what is left of somebody's number.
    """
    if isinstance(error, CallsavvyError):
        return error
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return JournalError(f"{name} cannot hold a text or a number that was to be written: {type(error).__name__}.")
    if isinstance(error, ValueError | ArithmeticError | TypeError):
        return damaged(name, "it holds what no journal does")
    return error


def damaged(name: str, why: str) -> JournalDamagedError:
    """Return the error that a journal is damaged. It advises nothing that might send, and charge, twice."""
    return JournalDamagedError(
        f"{name} is damaged: {why}. Nothing is sent from it. An older copy lacks what was sent since; see 'Backups and damage'"
        " in docs/how-to/campaigns.md."
    )
