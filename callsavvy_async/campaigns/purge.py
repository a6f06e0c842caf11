"""Removing what is personal from a campaign. It may be done by another process, so whoever needs it looks in the journal."""

from __future__ import annotations

from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources
from callsavvy_async.errors import InvalidRequestError


def purge(cursor: Cursor, campaign: int, spec: str) -> None:
    """Remove everything personal; what was to be sent is cancelled.

    Raises:
        InvalidRequestError: a run is under way.
    """
    cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
    if not runs.nobody_runs(cursor, campaign):
        raise InvalidRequestError("a run of this campaign is under way; purge it when that has ended.")
    for source in sorted(sources(State.CANCELLED, Actor.PERSON)):
        cursor.execute(
            "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ?", (State.CANCELLED, campaign, source)
        )
    cursor.execute("DELETE FROM payload WHERE campaign = ?", (campaign,))
    cursor.execute("UPDATE skipped SET given = '', detail = '' WHERE campaign = ?", (campaign,))
    cursor.execute("UPDATE campaign SET spec = ?, purged = 1 WHERE id = ?", (spec, campaign))


def is_purged(cursor: Cursor, campaign: int) -> bool:
    """Whether a campaign was purged, by whatever process."""
    (purged,) = cursor.execute("SELECT purged FROM campaign WHERE id = ?", (campaign,)).fetchone()
    return bool(purged)


def refuse_if_purged(cursor: Cursor, campaign: int) -> None:
    """Raise `InvalidRequestError` when a campaign was purged."""
    if is_purged(cursor, campaign):
        raise InvalidRequestError("this campaign was purged: its numbers and texts are gone.")
