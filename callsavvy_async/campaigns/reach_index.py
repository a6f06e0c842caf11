"""Switches the index of reached people on, and indexes what left before; see `journal/frequency.py`.

Theory:

1. Switch. The first run with a frequency cap records a fact, while a lock on all chunks is held. So a transaction that puts
   a chunk in flight either commits before the fact, and page by page its chunk is found, or returns that the index is on.
2. Pages. The fact holds the last chunk that was indexed. So runs that begin together share the pages, and a run that follows
   a killed one goes on. A run with a cap sends nothing before the last page.
3. Copies. A journal that is an older copy starts over, because chunks that never went in flight in it are unknown.
"""

from __future__ import annotations

from callsavvy_async.campaigns.journal import copies, schema, sql
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.journal.frequency import COUNTED, Reach, channel_of
from callsavvy_async.campaigns.journal.owner import owner_of
from callsavvy_async.campaigns.journal.payload import unpack_numbers
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.spec import Spec

_COMPLETE = "complete"
_PAGE = 20
"""Chunks per transaction. It is small, because other processes wait for their turn."""
_LOCK_CHUNKS = "/*! LOCK TABLE chunk IN SHARE MODE */"
_NEXT = f"""SELECT chunk.campaign, chunk.number, body FROM chunk
    JOIN payload ON payload.campaign = chunk.campaign AND payload.number = chunk.number
    WHERE (chunk.campaign, chunk.number) > (?, ?) AND (state IN ({sql.listed(COUNTED)}) OR perhaps > 0)
    ORDER BY chunk.campaign, chunk.number LIMIT ?"""  # noqa: S608 - constants


async def complete(retrying: RetryingWriter) -> None:
    """Switch the index on, and complete it."""
    database = retrying.writer.database
    await retrying.write(lambda cursor: _switch_on(database, cursor), turn=True)
    while not await retrying.write(lambda cursor: _index_page(database, cursor), turn=True):
        pass


def _switch_on(database: Database, cursor: Cursor) -> None:
    database.take_turns(cursor)
    if schema.fact(cursor, sql.REACHED) is None:
        cursor.execute(_LOCK_CHUNKS)
        schema.set_fact(cursor, sql.REACHED, copies.REACHED_SINCE)


def _index_page(database: Database, cursor: Cursor) -> bool:
    """Index the next chunks. Return True if none is left."""
    since = schema.fact(cursor, sql.REACHED) or copies.REACHED_SINCE
    if since == _COMPLETE:
        return True
    page = cursor.execute(_NEXT, (*map(int, since.split("/")), _PAGE)).fetchall()
    channels = {campaign: channel_of_campaign(cursor, campaign) for campaign in {campaign for campaign, *_ in page}}
    for campaign, number, body in page:
        Reach(database, campaign, channels[campaign]).record(cursor, number, unpack_numbers(body))
    schema.set_fact(cursor, sql.REACHED, f"{page[-1][0]}/{page[-1][1]}" if len(page) == _PAGE else _COMPLETE)
    return len(page) < _PAGE


def channel_of_campaign(cursor: Cursor, campaign: int) -> str:
    """Return the channel of a campaign in the index; see `channel_of`."""
    (text,) = cursor.execute("SELECT spec FROM campaign WHERE id = ?", (campaign,)).fetchone()
    owner = owner_of(cursor, campaign)
    return channel_of(Spec.from_json(text).message.channel, simulated=owner is not None and owner.simulated)
