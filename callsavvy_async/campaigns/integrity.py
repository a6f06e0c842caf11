"""Verifies the consistency of a campaign in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import attrs

from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.journal import sql, sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.payload import checksum, unpack_numbers
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.purge import is_purged
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.campaigns.states import State
from callsavvy_async.wording import quantity

_PAGE = 200


@attrs.frozen
class Verification:
    """The result of a verification."""

    chunks: int
    """Number of checked chunks."""
    recipients: int
    """Number of recipients in them. A chunk that a run splits meanwhile may count twice."""
    findings: tuple[str, ...] = ()
    """Problems found; empty for a sound campaign."""

    @property
    def sound(self) -> bool:
        """True if there are no findings."""
        return not self.findings


async def verify(writer: Writer, campaign: int) -> Verification:
    """Check the file, each chunk's state, recipients and checksum, the sums, and that each number occurs once.

    A run may be active meanwhile. The halves of a chunk that it splits get numbers after `last`; they are exempt from the
    check for duplicates, because the whole chunk may have been checked before.
    """
    findings = list(await writer.run(writer.database.damages))
    last, purged = await writer.run(lambda cursor: (sql.last_number(cursor, campaign), is_purged(cursor, campaign)))
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


def _check_chunk(number: int, state: str, size: int) -> Iterator[str]:
    if state not in set(State):
        yield f"chunk {number}: its state {state!r} is invalid"
    if size < 1:
        yield f"chunk {number}: its count of recipients is {size}"


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
        yield f"chunk {number}: its count of recipients is {size}, but it has {len(numbers)}"
    duplicates = 0 if number_set is None else len(number_set.add_all(numbers))
    if duplicates:
        yield f"chunk {number}: {duplicates} of its recipients are in the journal twice"


def _check_sums(cursor: Cursor, campaign: int) -> Iterator[str]:
    query = f"SELECT count(*) FROM chunk WHERE campaign = ? AND state NOT IN ({sql.listed(State)})"  # noqa: S608 - constants
    if cursor.execute(query, (campaign,)).fetchone()[0]:
        return  # reported by `_check_chunk`; a sum needs valid states
    report = sums.read(cursor, campaign)
    if report.input_complete and report.accounted != report.given:
        yield f"the sums of {quantity(report.given, 'recipient')} add up to {report.accounted:,}"
    orphans = cursor.execute(
        """SELECT count(*) FROM payload WHERE campaign = ? AND NOT EXISTS (SELECT 1 FROM chunk
        WHERE chunk.campaign = payload.campaign AND chunk.number = payload.number AND state <> ?)""",
        (campaign, State.SPLIT),
    ).fetchone()[0]
    if orphans:
        yield f"the payloads: {orphans} have no chunk"
