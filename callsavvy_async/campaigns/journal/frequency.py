"""Whom the campaigns of a journal reached, for those with a frequency cap (`not_within`).

Theory:

1. Index. A row of `reached` says that a chunk of a campaign went in flight with a number. When that was, and what came of
   it, stays in the chunk. So a late response, a person's decision and a retry count at once, and the index never changes
   with them.
2. Price. A journal without a cap has an empty index and pays nothing. The first run with a cap switches the index on, and
   indexes what left before; see `reach_index.py`. The statement that puts a chunk in flight returns whether it is on.
3. Decision. A claim leaves out whom another campaign reached (`leaving_out.py`). A request may leave long after its claim, so
   the transaction that puts its chunk in flight looks again. If it finds somebody, the chunk becomes pending, and its next
   claim leaves them out.
4. Race. While the index is on, the transactions that put chunks in flight take turns, over all processes. So of two requests
   for one person, the first is in the index before the second one looks. These transactions do nothing else, so that a turn
   is short and never waits for another lock.

A resend does not undo that the first request may have arrived: the chunk keeps the time of that one, and people who are left
out of the resend stay in the index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.states import State

COUNTED = frozenset({State.IN_FLIGHT, State.ACCEPTED, State.UNKNOWN})
"""States of chunks whose recipients got the message, or may have."""

_RECORD = """INSERT INTO reached (number, channel, campaign, chunk)
    SELECT number, channel, campaign, chunk FROM (SELECT CAST(? AS BIGINT) AS number, CAST(? AS TEXT) AS channel,
        CAST(? AS BIGINT) AS campaign, CAST(? AS BIGINT) AS chunk) AS given
    WHERE 1 = 1 ON CONFLICT (number, campaign) DO UPDATE SET chunk = excluded.chunk RETURNING 1"""
"""Both halves of a split chunk replace it."""
_REACHED = f"""SELECT wanted FROM (SELECT CAST(? AS BIGINT) AS wanted, CAST(? AS TEXT) AS its_channel,
        CAST(? AS BIGINT) AS own, CAST(? AS DOUBLE PRECISION) AS seconds) AS given
    JOIN reached ON reached.number = wanted AND reached.channel = its_channel AND reached.campaign <> own
    JOIN chunk ON chunk.campaign = reached.campaign AND chunk.number = reached.chunk
    WHERE coalesce(state, '') = '{State.IN_FLIGHT}'
        OR coalesce(state, '') IN ('{State.ACCEPTED}', '{State.UNKNOWN}') AND at > clock() - seconds
        OR perhaps > clock() - seconds"""  # noqa: S608 - constants
"""For ``coalesce(state, '')`` see `sql.py`."""
_PAGE_OF_REACHED = f"""SELECT chunk.number, body FROM chunk
    JOIN payload ON payload.campaign = chunk.campaign AND payload.number = chunk.number
    WHERE chunk.campaign = ? AND chunk.number > ?
        AND (state = '{State.IN_FLIGHT}' OR state IN ('{State.ACCEPTED}', '{State.UNKNOWN}') AND at > clock() - ?
            OR perhaps > clock() - ?)
    ORDER BY chunk.number LIMIT ?"""  # noqa: S608 - constants


@attrs.frozen
class Reach:
    """Whom a campaign reaches, and whom others reached.

    Attributes:
        database: database of the journal.
        campaign: id of the campaign.
        channel: its channel, from `channel_of`.
        seconds: its frequency cap; None for no cap.
    """

    database: Database = attrs.field(repr=False)
    campaign: int
    channel: str
    seconds: float | None = None

    def by_others(self, cursor: Cursor, numbers: Iterable[int]) -> Collection[int]:
        """Return those of the numbers that another campaign reached within the cap, on the same channel."""
        if self.seconds is None:
            return ()
        rows = [(number, self.channel, self.campaign, self.seconds) for number in numbers]
        return {number for (number,) in self.database.for_each(cursor, _REACHED, rows)}

    def record(self, cursor: Cursor, chunk: int, numbers: Sequence[int]) -> None:
        """Record that a chunk goes in flight. Recording it again changes nothing."""
        if not self.database.takes_turns:  # another process switched the index on
            self.database.take_turns(cursor)
        rows = [(number, self.channel, self.campaign, chunk) for number in numbers]
        self.database.for_each(cursor, _RECORD, rows)


def page_of_reached(
    cursor: Cursor, *, campaign: int, after: int, seconds: float, limit: int
) -> list[tuple[int, bytes]]:
    """Return the next chunks that a campaign sent within some seconds, or may have, with their packed recipients.

    Args:
        cursor: cursor of the journal.
        campaign: id of the campaign.
        after: number of the last chunk of the page before.
        seconds: length of the period before now.
        limit: number of chunks.
    """
    return cursor.execute(_PAGE_OF_REACHED, (campaign, after, seconds, seconds, limit)).fetchall()


def channel_of(channel: str, *, simulated: bool) -> str:
    """Return the channel in the index. A rehearsal reaches no real recipient, so it has channels of its own."""
    return f"{channel} of the simulator" if simulated else channel
