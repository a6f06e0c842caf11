"""How recipients are left out of claimed chunks: those on the suppress list, and those whom another campaign just reached.

Theory: the transaction that claims chunks decides, so a rule holds from the next claim on, for any run of any campaign. A
recipient who is left out moves from the chunk to the skipped rows, with the reason, in the same transaction. So the sums
stay right, and a later run leaves out the same people. A chunk without recipients is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.recipients import Recipient, Skipped, SkipReason
from callsavvy_async.campaigns.journal import runs, sql, suppression
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.payload import checksum, pack
from callsavvy_async.wording import period

SUPPRESSED = "the number is on the journal's suppress list."
"""`detail` of the recipients who are suppressed."""

_Why: TypeAlias = tuple[SkipReason, str]


def leave_out(
    cursor: Cursor, campaign: int, run_id: int, chunks: Sequence[Chunk], reach: Reach | None = None
) -> list[Chunk]:
    """Leave recipients out of claimed chunks. Return the chunks that have recipients left.

    Args:
        cursor: cursor of the journal.
        campaign: id of the campaign.
        run_id: number of the run that claimed the chunks.
        chunks: the chunks.
        reach: whom other campaigns reached; None for a campaign without a frequency cap.
    """
    seconds = None if reach is None else reach.seconds
    if seconds is None and suppression.is_empty(cursor):
        return list(chunks)
    numbers = [int(recipient.number) for chunk in chunks for recipient in chunk.recipients]
    reasons: dict[int, _Why] = {}
    if reach is not None and seconds is not None:
        recent = (SkipReason.RECENT, detail_of_recent(seconds))
        reasons.update(dict.fromkeys(reach.by_others(cursor, numbers), recent))
    reasons.update(dict.fromkeys(suppression.among(cursor, numbers), (SkipReason.SUPPRESSED, SUPPRESSED)))
    kept = (_without(cursor, campaign, run_id, chunk, reasons) for chunk in chunks)
    return [chunk for chunk in kept if chunk is not None]


def detail_of_recent(seconds: float) -> str:
    """Return the `detail` of the recipients whom another campaign reached."""
    return f"another campaign sent to the number within the last {period(timedelta(seconds=seconds))}, or may have."


def skipped_as_recent(reached: NumberSet, period: timedelta, recipient: Recipient) -> Skipped | None:
    """Return the skipped row of a recipient whom another campaign reached; None for any other. For plans.

    Args:
        reached: whom other campaigns reached.
        period: the campaign's frequency cap.
        recipient: the recipient.
    """
    if recipient.number not in reached:
        return None
    return Skipped(recipient.row, recipient.number, SkipReason.RECENT, detail_of_recent(period.total_seconds()))


def _without(cursor: Cursor, campaign: int, run_id: int, chunk: Chunk, reasons: Mapping[int, _Why]) -> Chunk | None:
    """Leave numbers out of a claimed chunk, and record them as skipped. Return None if the chunk is empty then."""
    kept = tuple(recipient for recipient in chunk.recipients if int(recipient.number) not in reasons)
    if len(kept) == len(chunk.recipients):
        return chunk
    place = (campaign, chunk.number)
    (load,) = cursor.execute("SELECT load FROM chunk WHERE campaign = ? AND number = ?", place).fetchone()
    left_out = [
        Skipped(recipient.row, recipient.number, *reasons[int(recipient.number)])
        for recipient in chunk.recipients
        if int(recipient.number) in reasons
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
