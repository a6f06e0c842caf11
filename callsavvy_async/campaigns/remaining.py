"""Plan what a run of a campaign would still send. Reads the journal page by page, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Set as AbstractSet
from datetime import timedelta
from functools import partial
from typing import Literal, TypeAlias

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.planning import PlanTally
from callsavvy_async.bulk.recipients import Recipient, Skipped
from callsavvy_async.campaigns.journal import repository
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.frequency import channel_of
from callsavvy_async.campaigns.journal.leaving_out import skipped_as_recent
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.reached import reached_within
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import State

Resend: TypeAlias = Literal["nothing", "not-sent", "unknown"]
"""Requests to send again: none; those proved or declared not sent; or also unknown ones."""

_WAITING = frozenset({State.PENDING, State.CLAIMED})
_RESENT: dict[Resend, frozenset[State]] = {
    "nothing": frozenset(),
    "not-sent": frozenset({State.NOT_SENT}),
    "unknown": frozenset({State.NOT_SENT, State.UNKNOWN, State.IN_FLIGHT}),
}
_PAGE = 200


async def plan_remaining(
    writer: Writer, campaign: int, name: str, spec: Spec, resend: Resend, *, simulated: bool
) -> Plan:
    """Return the plan of a run.

    Requests of a run that died count as waiting or, if they were in flight, as unknown, because the next run makes them so.
    People whom its claims will leave out are skipped.
    """
    tally = PlanTally(spec.message, cuts=1)
    states, after = _WAITING | _RESENT[resend], 0
    period, reached = spec.settings.not_within or timedelta(), NumberSet()
    if period:
        channel = channel_of(spec.message.channel, simulated=simulated)
        reached = await reached_within(writer, period, channel, but=name)
    recent = partial(skipped_as_recent, reached, period)
    while True:
        read = partial(_page, campaign=campaign, spec=spec, states=states, after=after)
        last, chunks = await writer.run(read)
        if last is None:
            return attrs.evolve(tally.plan(), source=f"what is left of campaign {name!r}")
        kept = tuple(_left_in(chunk, spec, tally, recent) for chunk in chunks) if len(reached) else chunks
        tally.count([tuple(chunk for chunk in kept if chunk.recipients)])
        after = last


def _left_in(chunk: Chunk, spec: Spec, tally: PlanTally, leave_out: Callable[[Recipient], Skipped | None]) -> Chunk:
    """Return a chunk without those who are left out, and count them."""
    skipped = [leave_out(recipient) for recipient in chunk.recipients]
    for one in filter(None, skipped):
        tally.skip(one)
    kept = tuple(recipient for recipient, why in zip(chunk.recipients, skipped, strict=True) if why is None)
    return attrs.evolve(chunk, recipients=kept, estimate=spec.message.estimate(chunk.text, len(kept)))


def _page(
    cursor: Cursor, *, campaign: int, spec: Spec, states: AbstractSet[State], after: int
) -> tuple[int | None, tuple[Chunk, ...]]:
    """Return the last number of the next page, None at the end, and the chunks of these states."""
    page = repository.page_of_recipients(cursor, campaign=campaign, after=after, limit=_PAGE)
    numbers = [number for number, state, *_ in page if state in states]
    chunks = (repository.read_chunk(cursor, campaign, number, spec.message.common or "") for number in numbers)
    estimated = tuple(
        attrs.evolve(chunk, estimate=spec.message.estimate(chunk.text, len(chunk.recipients))) for chunk in chunks
    )
    return (page[-1][0] if page else None), estimated
