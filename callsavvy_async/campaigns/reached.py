"""Whom the campaigns of a journal reached lately, so that a plan says whom `not_within` leaves out.

A claim decides by the index of `journal/frequency.py`. A plan changes nothing, so it must not switch that index on; it reads
the requests of the period instead.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.campaigns.journal import frequency
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.payload import unpack_numbers
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.reach_index import channel_of_campaign

_PAGE = 200
"""Chunks per transaction."""


async def reached_within(writer: Writer, period: timedelta, channel: str, *, but: str = "") -> NumberSet:
    """Return the numbers that campaigns reached within a period, or may have.

    Args:
        writer: writer of the journal.
        period: the period before now.
        channel: the channel, from `channel_of`.
        but: name of a campaign that does not count.
    """
    campaigns = await writer.run(partial(_campaigns, channel=channel, but=but))
    numbers = NumberSet()
    for campaign in campaigns:
        after = 0
        while page := await writer.run(
            partial(
                frequency.page_of_reached, campaign=campaign, after=after, seconds=period.total_seconds(), limit=_PAGE
            )
        ):
            after = page[-1][0]
            for _, body in page:
                numbers.add_all(unpack_numbers(body))
    return numbers


def _campaigns(cursor: Cursor, *, channel: str, but: str) -> list[int]:
    rows = cursor.execute("SELECT id, name FROM campaign ORDER BY id").fetchall()
    return [number for number, name in rows if name != but and channel_of_campaign(cursor, number) == channel]
