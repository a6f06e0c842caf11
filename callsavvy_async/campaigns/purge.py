"""Removes personal data from a campaign. Another process may purge, so every check reads the journal."""

from __future__ import annotations

from callsavvy_async.campaigns.journal import runs
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources
from callsavvy_async.errors import InvalidRequestError


def purge(cursor: Cursor, campaign: int, spec: str) -> None:
    """Delete numbers and texts, and cancel all unsent chunks.

    Raises:
        InvalidRequestError: the campaign has an active run.
    """
    runs.lock_without_run(cursor, campaign, "purge it after the run")
    for source in sorted(sources(State.CANCELLED, Actor.PERSON)):
        cursor.execute(
            "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ?", (State.CANCELLED, campaign, source)
        )
    for table in ("payload", "reached"):
        cursor.execute(f"DELETE FROM {table} WHERE campaign = ?", (campaign,))  # noqa: S608 - constants
    cursor.execute("UPDATE skipped SET given = '', detail = '' WHERE campaign = ?", (campaign,))
    cursor.execute("UPDATE campaign SET spec = ?, purged = 1 WHERE id = ?", (spec, campaign))


def is_purged(cursor: Cursor, campaign: int) -> bool:
    """Return True if a campaign was purged."""
    (purged,) = cursor.execute("SELECT purged FROM campaign WHERE id = ?", (campaign,)).fetchone()
    return bool(purged)


def refuse_if_purged(cursor: Cursor, campaign: int) -> None:
    """Raise `InvalidRequestError` if a campaign was purged."""
    if is_purged(cursor, campaign):
        raise InvalidRequestError("this campaign was purged: its numbers and texts are deleted. Create another one.")
