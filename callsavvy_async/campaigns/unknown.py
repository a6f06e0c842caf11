"""The chunks of a campaign whose outcome is unknown."""

from __future__ import annotations

from decimal import Decimal

import attrs

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns.journal import repository, sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.purge import is_purged


@attrs.frozen
class UnknownChunk:
    """A chunk whose request may have been sent and charged.

    Attributes:
        number: number of the chunk, for `Campaign.resolve`.
        recipients: its recipients; none after a purge.
        estimate: estimated cost in units.
        detail: reason why the outcome is unknown.
        request_id: identifier of its request, as in events, logs and spans.
    """

    number: int
    recipients: tuple[Recipient, ...]
    estimate: Decimal
    detail: str
    request_id: str


def unknown_chunks(cursor: Cursor, campaign: int) -> tuple[UnknownChunk, ...]:
    """Read the unknown chunks of a campaign, in order."""
    purged = is_purged(cursor, campaign)
    return tuple(
        UnknownChunk(
            number,
            () if purged else tuple(repository.read_chunk(cursor, campaign, number, "").recipients),
            estimate,
            detail,
            request_id,
        )
        for number, estimate, detail, request_id in sums.unknown_chunks(cursor, campaign)
    )
