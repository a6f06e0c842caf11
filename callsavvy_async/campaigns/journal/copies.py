"""What becomes of a journal that is an older copy of itself.

Theory: a copy that is put back in the place of a journal takes back everything that was written since, and with it the
marks of requests that left. What such a copy shows as pending may have been sent and charged, so it becomes unknown, and
a person decides. How a copy is noticed depends on the database: see `witness.py` for a file, `postgres.py` for a server.
Where it is known how far the requests went, what lies behind stays pending: it cannot have been sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import schema
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources

RESTORED = "the journal is an older copy: it may have been sent since the copy was made"
"""Why nothing is known of such a chunk."""

Reached: TypeAlias = Mapping[tuple[int, str], int]
"""The highest number of a chunk that was ever in flight, by campaign and time zones."""

_INCOMPLETE = "incomplete"


def settle(cursor: Cursor, reached: Reached | None) -> None:
    """Make unknown what may have been sent since the copy was made.

    Args:
        cursor: of the journal, in a transaction.
        reached: how far requests went; None when that is not known.
    """
    if reached is None:
        campaigns = cursor.execute("SELECT id FROM campaign").fetchall()
        for (campaign,) in campaigns:
            _doubt(cursor, "campaign = ?", (campaign,))
        return
    for (campaign, zone), number in reached.items():
        _doubt(cursor, "campaign = ? AND zone = ? AND number <= ?", (campaign, zone, number))
    if any(number > _last_number(cursor, campaign) for (campaign, _), number in reached.items()):
        schema.set_fact(cursor, _INCOMPLETE, "1")


def refuse_if_incomplete(cursor: Cursor) -> None:
    """Refuse to load recipients into a copy that lacks some who were sent to.

    Raises:
        JournalError: it lacks some. Loaded again, they would be new to it, and get a second message.
    """
    if schema.fact(cursor, _INCOMPLETE) is not None:
        raise JournalError(
            "the journal is an older copy and lacks recipients who were added and sent to after it was made; they would get"
            " a second message. Load new recipients into another journal, and suppress those of the lost campaigns."
        )


def resolve(cursor: Cursor, campaign: int, *, as_sent: bool) -> int:
    """Write down a person's word about everything that is unknown because the journal is a copy; return how many chunks."""
    to = State.ACCEPTED if as_sent else State.NOT_SENT
    query = "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ? AND detail = ?"
    cursor.execute(query, (to, campaign, State.UNKNOWN, RESTORED))
    return cursor.rowcount


def _doubt(cursor: Cursor, which: str, values: tuple[object, ...]) -> None:
    for source in sorted(sources(State.UNKNOWN, Actor.RESTORER)):
        cursor.execute(
            f"UPDATE chunk SET state = ?, detail = ? WHERE {which} AND state = ?",  # noqa: S608 - our own words
            (State.UNKNOWN, RESTORED, *values, source),
        )


def _last_number(cursor: Cursor, campaign: int) -> int:
    query = "SELECT coalesce(max(number), 0) FROM chunk WHERE campaign = ?"
    return int(cursor.execute(query, (campaign,)).fetchone()[0])
