"""The journal's suppress list: numbers that none of its campaigns is sent to.

Theory:

1. Claims decide; see `leaving_out.py`. A run sends at most the few chunks that it claimed before a number was added.
2. Place. The list lies beside the commands (`commands.py`), so any process can change it while another one sends. A SQLite
   control file keeps it even if its journal is replaced: a person who was suppressed once must not get a message because
   of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.redaction import mask_number

TABLES = (
    """CREATE TABLE IF NOT EXISTS suppressed (
        number BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, author TEXT NOT NULL)""",
)
"""``number`` is the integer of a normalised number, as in the journal's payloads."""

_AT_A_TIME = 500
_ADD = "INSERT INTO suppressed (number, at, author) VALUES (?, clock(), ?) ON CONFLICT (number) DO NOTHING RETURNING 1"
_REMOVE = "DELETE FROM suppressed WHERE number = ? RETURNING 1"


@attrs.frozen
class Suppressed:
    """A number that no campaign of the journal is sent to.

    Attributes:
        number: the number.
        at: time of the addition in seconds since 1970, on the journal's clock.
        author: who added it.
    """

    number: str = attrs.field(repr=mask_number)
    at: float
    author: str


def add(cursor: Cursor, numbers: Iterable[int], author: str) -> int:
    """Add numbers, and return how many are new. Use a transaction of `Database.steer`."""
    return sum(len(cursor.execute(_ADD, (number, author)).fetchall()) for number in sorted(numbers))


def remove(cursor: Cursor, numbers: Iterable[int]) -> int:
    """Remove numbers, and return how many were on the list. Use a transaction of `Database.steer`."""
    return sum(len(cursor.execute(_REMOVE, (number,)).fetchall()) for number in sorted(numbers))


def everything(cursor: Cursor) -> tuple[Suppressed, ...]:
    """Return the list, the oldest entry first."""
    rows = cursor.execute("SELECT number, at, author FROM suppressed ORDER BY at, number").fetchall()
    return tuple(Suppressed(f"+{number}", at, author) for number, at, author in rows)


def is_empty(cursor: Cursor) -> bool:
    """Return True if no number is suppressed."""
    return cursor.execute("SELECT 1 FROM suppressed LIMIT 1").fetchone() is None


def among(cursor: Cursor, numbers: Sequence[int]) -> set[int]:
    """Return those of the numbers that are suppressed."""
    found: set[int] = set()
    for start in range(0, len(numbers), _AT_A_TIME):
        page = numbers[start : start + _AT_A_TIME]
        query = f"SELECT number FROM suppressed WHERE number IN ({', '.join('?' * len(page))})"  # noqa: S608 - placeholders
        found.update(number for (number,) in cursor.execute(query, page).fetchall())
    return found
