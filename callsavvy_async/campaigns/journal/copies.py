"""Recovers a journal that was restored from an older copy.

Theory: an older copy lacks the records of requests sent since it was made. Its unsent chunks may have been sent and
charged, so they become unknown, and a person decides. If the highest chunk number sent is known, chunks beyond it stay
pending. `witness.py` detects a copy of a file, `postgres.py` one of a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import schema, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources

RESTORED = "the journal is an older copy: it may have been sent since the copy was made"
"""`detail` of the chunks that a recovery makes unknown."""

Reached: TypeAlias = Mapping[tuple[int, str], int]
"""Highest chunk number that was ever in flight, by campaign and time zones."""

REACHED_SINCE = "0/0"
"""Fact of an index of reached people to which no chunk was added; see `reach_index.py`."""
_INCOMPLETE = "incomplete"
KEYS_MISSING = "keys missing"
"""Fact of a recovered copy: it may lack keys of single requests that were sent since."""


def recover(cursor: Cursor, reached: Reached | None) -> None:
    """Make unknown every chunk that may have been sent since the copy was made.

    Args:
        cursor: cursor of the journal, in a transaction.
        reached: the highest chunk numbers sent; None if unknown.
    """
    schema.set_fact(cursor, KEYS_MISSING, "1")
    if schema.fact(cursor, sql.REACHED) is not None:
        schema.set_fact(cursor, sql.REACHED, REACHED_SINCE)
    if reached is None:
        _make_unknown(cursor, "1 = 1")
        return
    for (campaign, zone), number in reached.items():
        _make_unknown(cursor, "campaign = ? AND zone = ? AND number <= ?", campaign, zone, number)
    if any(number > sql.last_number(cursor, campaign) for (campaign, _), number in reached.items()):
        schema.set_fact(cursor, _INCOMPLETE, "1")


def refuse_if_incomplete(cursor: Cursor) -> None:
    """Refuse to load recipients into a copy that lacks recipients of sent requests.

    Raises:
        JournalError: the copy lacks recipients. A load would add them again, and they would get a second message.
    """
    if schema.fact(cursor, _INCOMPLETE) is not None:
        raise JournalError(
            "the journal is an older copy and lacks recipients of requests sent since; a load may send them a second"
            " message. Load new recipients into another journal, and suppress those of the lost campaigns."
        )


def resolve(cursor: Cursor, campaign: int, *, as_sent: bool) -> int:
    """Declare all chunks sent or not sent that a recovery made unknown, and return their number."""
    to = State.ACCEPTED if as_sent else State.NOT_SENT
    query = "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ? AND detail = ?"
    cursor.execute(query, (to, campaign, State.UNKNOWN, RESTORED))
    return cursor.rowcount


def _make_unknown(cursor: Cursor, condition: str, *values: object) -> None:
    for source in sorted(sources(State.UNKNOWN, Actor.RESTORER)):
        cursor.execute(
            f"UPDATE chunk SET state = ?, detail = ?, at = clock() WHERE {condition} AND state = ?",  # noqa: S608 - constants
            (State.UNKNOWN, RESTORED, *values, source),
        )
