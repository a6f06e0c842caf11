"""Re-checks a campaign in the journal: does everything in it fit together?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import attrs

from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.journal import sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.payload import checksum, unpack_numbers
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.purge import is_purged
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.campaigns.states import State

_PAGE = 200


@attrs.frozen
class Verification:
    """What is wrong with a campaign in the journal; nothing is when `findings` is empty."""

    chunks: int
    """That were looked at."""
    recipients: int
    """In them; who is in a chunk that was split meanwhile may be in two."""
    findings: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


async def verify(writer: Writer, campaign: int) -> Verification:
    """Check the file, every chunk's state, recipients and checksum, that nobody is in it twice, and the sums.

    A run may be under way, here or elsewhere: the halves of a chunk that it splits come after all that was there, and were
    perhaps number_set in one piece.
    """
    findings = list(await writer.run(writer.database.damages))
    last, purged = await writer.run(lambda cursor: (_last(cursor, campaign), is_purged(cursor, campaign)))
    after, chunks, recipients = 0, 0, 0
    with SqliteNumberSet() as number_set:
        while page := await writer.run(partial(_page, campaign=campaign, after=after)):
            for number, state, size, body, text, check in page:
                after = number
                chunks += 1
                if state == State.SPLIT:
                    continue
                recipients += size
                findings += _check_chunk(number, state, size)
                if not purged:
                    payload = (body, text, check)
                    findings += _check_payload(campaign, number, size, payload, number_set if number <= last else None)
    findings += await writer.run(lambda cursor: list(_check_sums(cursor, campaign)))
    return Verification(chunks, recipients, tuple(findings))


def _page(cursor: Cursor, *, campaign: int, after: int) -> list[tuple[int, str, int, bytes, str | None, str]]:
    return cursor.execute(
        """SELECT chunk.number, state, recipients, body, text, checksum FROM chunk
        LEFT JOIN payload ON payload.campaign = chunk.campaign AND payload.number = chunk.number
        WHERE chunk.campaign = ? AND chunk.number > ? ORDER BY chunk.number LIMIT ?""",
        (campaign, after, _PAGE),
    ).fetchall()


def _last(cursor: Cursor, campaign: int) -> int:
    query = "SELECT coalesce(max(number), 0) FROM chunk WHERE campaign = ?"
    (last,) = cursor.execute(query, (campaign,)).fetchone()
    return int(last)


def _check_chunk(number: int, state: str, size: int) -> Iterator[str]:
    if state not in set(State):
        yield f"chunk {number}: there is no state {state!r}"
    if size < 1:
        yield f"chunk {number}: it has {size} recipients"


def _check_payload(
    campaign: int,
    number: int,
    size: int,
    payload: tuple[bytes | None, str | None, str],
    number_set: SqliteNumberSet | None,
) -> Iterator[str]:
    body, text, check = payload
    if body is None:
        yield f"chunk {number}: its recipients are missing"
        return
    if checksum(campaign, number, body, text) != check:
        yield f"chunk {number}: its checksum is wrong"
        return
    try:
        numbers = unpack_numbers(body)
    except JournalDamagedError as error:
        yield f"chunk {number}: {error}"
        return
    if len(numbers) != size:
        yield f"chunk {number}: it has {len(numbers)} recipients, but counts {size}"
    twice = 0 if number_set is None else len(numbers) - number_set.add_all((each,) for each in numbers)
    if twice:
        yield f"chunk {number}: {twice} of its recipients are in the journal twice"


def _check_sums(cursor: Cursor, campaign: int) -> Iterator[str]:
    known = ", ".join(f"'{state}'" for state in State)
    query = f"SELECT count(*) FROM chunk WHERE campaign = ? AND state NOT IN ({known})"  # noqa: S608 - our own words
    if cursor.execute(query, (campaign,)).fetchone()[0]:
        return  # they are named already, and cannot be added up
    report = CampaignReport()
    sums.fill(cursor, campaign, report)
    if report.input_complete and report.accounted != report.given:
        yield f"the sums: {report.given} recipients were given, but {report.accounted} are accounted for"
    orphans = cursor.execute(
        """SELECT count(*) FROM payload WHERE campaign = ? AND NOT EXISTS (SELECT 1 FROM chunk
        WHERE chunk.campaign = payload.campaign AND chunk.number = payload.number AND state <> ?)""",
        (campaign, State.SPLIT),
    ).fetchone()[0]
    if orphans:
        yield f"the payloads: {orphans} belong to no chunk"
