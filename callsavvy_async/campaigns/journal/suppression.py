"""The journal's suppress list, and how recipients on it are left out of a claimed chunk.

Theory:

1. Claims decide. The transaction that claims chunks reads the list. So a number that was added is not sent to from the next
   claim on, by any run of any campaign. A run sends at most the few chunks that it claimed before.
2. Sums. A recipient who is left out moves from the chunk to the skipped rows, with the reason, in the same transaction. A
   chunk without recipients is deleted.
3. Place. The list lies beside the commands (`commands.py`), so any process can change it while another one sends. A SQLite
   control file keeps it even if its journal is replaced: a person who was suppressed once must not get a message because
   of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Skipped, SkipReason
from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.payload import checksum, pack
from callsavvy_async.redaction import mask_number

TABLES = (
    """CREATE TABLE IF NOT EXISTS suppressed (
        number BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, author TEXT NOT NULL)""",
)
"""``number`` is the integer of a normalised number, as in the journal's payloads."""

SUPPRESSED = "the number is on the journal's suppress list."
"""`detail` of the recipients who are left out."""
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


def without_suppressed(cursor: Cursor, campaign: int, run_id: int, chunks: Sequence[Chunk]) -> list[Chunk]:
    """Leave the suppressed recipients out of claimed chunks. Return the chunks that have recipients left."""
    if cursor.execute("SELECT 1 FROM suppressed LIMIT 1").fetchone() is None:
        return list(chunks)
    numbers = [int(recipient.number) for chunk in chunks for recipient in chunk.recipients]
    suppressed = _among(cursor, numbers)
    kept = (_leave_out(cursor, campaign, run_id, chunk, suppressed) for chunk in chunks)
    return [chunk for chunk in kept if chunk is not None]


def _among(cursor: Cursor, numbers: Sequence[int]) -> set[int]:
    """Return those of the numbers that are suppressed."""
    found: set[int] = set()
    for start in range(0, len(numbers), _AT_A_TIME):
        page = numbers[start : start + _AT_A_TIME]
        query = f"SELECT number FROM suppressed WHERE number IN ({', '.join('?' * len(page))})"  # noqa: S608 - placeholders
        found.update(number for (number,) in cursor.execute(query, page).fetchall())
    return found


def _leave_out(cursor: Cursor, campaign: int, run_id: int, chunk: Chunk, numbers: Collection[int]) -> Chunk | None:
    """Leave numbers out of a claimed chunk, and record them as skipped. Return None if the chunk is empty then."""
    kept = tuple(recipient for recipient in chunk.recipients if int(recipient.number) not in numbers)
    if len(kept) == len(chunk.recipients):
        return chunk
    place = (campaign, chunk.number)
    (load,) = cursor.execute("SELECT load FROM chunk WHERE campaign = ? AND number = ?", place).fetchone()
    left_out = [
        Skipped(recipient.row, recipient.number, SkipReason.SUPPRESSED, SUPPRESSED)
        for recipient in chunk.recipients
        if int(recipient.number) in numbers
    ]
    sql.insert_skipped(cursor, campaign, load, left_out)
    estimate = chunk.estimate / len(chunk.recipients) * len(kept)
    runs.reserve(cursor, run_id, estimate - chunk.estimate)
    if not kept:
        for table in ("payload", "chunk"):
            cursor.execute(f"DELETE FROM {table} WHERE campaign = ? AND number = ?", place)  # noqa: S608 - constants
        return None
    (text,) = cursor.execute("SELECT text FROM payload WHERE campaign = ? AND number = ?", place).fetchone()
    body = pack(kept)
    check = checksum(campaign, chunk.number, body, text)
    cursor.execute("UPDATE payload SET body = ?, checksum = ? WHERE campaign = ? AND number = ?", (body, check, *place))
    cursor.execute(
        "UPDATE chunk SET recipients = ?, estimate = ? WHERE campaign = ? AND number = ?",
        (len(kept), _plain(estimate), *place),
    )
    return attrs.evolve(chunk, recipients=kept, estimate=estimate)


def _plain(units: Decimal) -> str:
    return f"{units.normalize():f}"
