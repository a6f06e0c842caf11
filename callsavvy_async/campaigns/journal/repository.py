"""Reads and updates the chunks of a journal, within the writer's transactions."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.bulk.stop_rules import counted
from callsavvy_async.campaigns.errors import ChunkLostError, JournalDamagedError, LeaseLostError
from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.budget import CampaignBudget, affordable
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.leaving_out import leave_out
from callsavvy_async.campaigns.journal.payload import checksum, pack, unpack, unpack_numbers
from callsavvy_async.campaigns.states import Actor, State, sources

LAST = 2**62
"""A number beyond that of every chunk."""


@attrs.frozen
class Claim:
    """What a run claimed."""

    chunks: list[Chunk]
    """The chunks that have recipients left to send to."""
    taken: int
    """Number of chunks that were claimed, with those whose recipients were all left out."""
    last: int
    """Highest number of a claimed chunk; -1 if there was none."""


@attrs.frozen
class ChunkUpdate:
    """The new state of a chunk, and the outcome of its request."""

    state: State
    cost: Decimal | None = None
    message_id: str | None = None
    detail: str = ""


def claim(
    cursor: Cursor,
    campaign: int,
    run_id: int,
    *,
    zone: str,
    since: int,
    until: int = LAST,
    limit: int,
    text: str,
    budget: CampaignBudget | None = None,
    reach: Reach | None = None,
) -> Claim:
    """Claim pending chunks of a zone that this run has not tried, and read the recipients who are not left out.

    Args:
        cursor: cursor of the journal.
        campaign: id of the campaign.
        run_id: number of the run.
        zone: time zones of the chunks.
        since: lowest chunk number to claim.
        until: highest chunk number to claim.
        limit: largest number of chunks to claim.
        text: text of chunks that store no text.
        budget: budget of the campaign; None for no limit.
        reach: whom other campaigns reached; None for no frequency cap.

    Raises:
        OutOfBudgetError: the budget does not cover the first chunk.
        LeaseLostError: the run lost its lease.
    """
    left = None if budget is None else budget.left_to_claim(cursor, campaign)
    parameters = (campaign, State.PENDING, zone, since, until, run_id, limit, State.CLAIMED, run_id)
    claimed = sorted(cursor.execute(sql.CLAIM, parameters).fetchall())
    taken, units = affordable([Decimal(estimate) for *_, estimate in claimed], left)
    _unclaim(cursor, campaign, run_id, [number for number, *_ in claimed[taken:]])
    cursor.execute(sql.RESERVE_AND_BEAT, (runs.millionths(units), run_id))
    if cursor.rowcount != 1:
        raise LeaseLostError(
            f"run {run_id} lost its lease: it sent no heartbeat in time, and another process ended it."
        )
    chunks = [
        attrs.evolve(read_chunk(cursor, campaign, number, text), depth=depth, zone=zone, estimate=Decimal(estimate))
        for number, depth, estimate in claimed[:taken]
    ]
    return Claim(leave_out(cursor, campaign, run_id, chunks, reach), taken, chunks[-1].number if chunks else -1)


def read_chunk(cursor: Cursor, campaign: int, number: int, text: str) -> Chunk:
    """Read the recipients of a chunk, and its text if it stores one.

    Raises:
        JournalDamagedError: the recipients are missing, or their checksum is wrong.
    """
    query = "SELECT body, text, checksum FROM payload WHERE campaign = ? AND number = ?"
    found = cursor.execute(query, (campaign, number)).fetchone()
    if found is None or checksum(campaign, number, found[0], found[1]) != found[2]:
        raise JournalDamagedError(f"the recipients of chunk {number} are damaged or missing; it is not sent.")
    return Chunk(number, text if found[1] is None else found[1], unpack(found[0]))


def pending_zones(cursor: Cursor, campaign: int, run_id: int, until: int = LAST) -> list[str]:
    """Return the zones of the pending chunks, up to a number, that this run has not tried."""
    values = (campaign, State.PENDING, run_id, until)
    return [zone for (zone,) in cursor.execute(sql.ZONES, values * 2)]


def move(
    cursor: Cursor, campaign: int, number: int, update: ChunkUpdate, *, by: Actor, run_id: int | None = None
) -> Decimal | None:
    """Move one chunk to another state.

    Returns:
        The chunk's estimate in units; or None if its run moved it before, in a transaction whose COMMIT was not confirmed.

    Raises:
        ChunkLostError: the transition is invalid, or the chunk belongs to another run.
    """
    cost = None if update.cost is None else str(update.cost)
    owned = by is Actor.OWNER
    parameters = (update.state, cost, update.message_id, update.detail, campaign, number, *((run_id,) if owned else ()))
    moved = cursor.execute(sql.move(sources(update.state, by), owned=owned), parameters).fetchall()
    if moved:
        return Decimal(moved[0][0])
    if owned and _state_and_run(cursor, campaign, number) == (update.state, run_id):
        return None
    raise ChunkLostError(f"chunk {number} cannot become {update.state}: another run or a person moved it before.")


def withdraw(cursor: Cursor, campaign: int, run_id: int, number: int) -> None:
    """Release a chunk whose request has not left."""
    if _state_and_run(cursor, campaign, number) == (State.IN_FLIGHT, run_id):
        move(cursor, campaign, number, ChunkUpdate(State.CLAIMED), by=Actor.OWNER, run_id=run_id)
    release(cursor, campaign, run_id, (number,))


def settle(cursor: Cursor, campaign: int, run_id: int, number: int, update: ChunkUpdate) -> None:
    """Record the outcome of a run's chunk, even if the run lost its lease meanwhile.

    Args:
        cursor: cursor of the journal.
        campaign: id of the campaign.
        run_id: number of the run.
        number: number of the chunk.
        update: the outcome. `PENDING` means not sent; a chunk that became unknown meanwhile then becomes `NOT_SENT`.

    Raises:
        ChunkLostError: the chunk was sent, and a person or another process decided otherwise meanwhile.
    """
    try:
        estimate = move(cursor, campaign, number, update, by=Actor.OWNER, run_id=run_id)
    except ChunkLostError:
        if update.state is not State.PENDING:
            raise
        if _state_and_run(cursor, campaign, number) != (State.UNKNOWN, run_id):
            return  # already pending, or moved by another actor
        estimate = move(cursor, campaign, number, ChunkUpdate(State.NOT_SENT), by=Actor.OWNER, run_id=run_id)
    if estimate is not None:
        runs.reserve(cursor, run_id, spent(update, estimate) - estimate)


def _state_and_run(cursor: Cursor, campaign: int, number: int) -> tuple[str, int | None] | None:
    query = "SELECT state, run FROM chunk WHERE campaign = ? AND number = ?"
    found: tuple[str, int | None] | None = cursor.execute(query, (campaign, number)).fetchone()
    return found


def spent(update: ChunkUpdate, estimate: Decimal) -> Decimal:
    """Return the units that a chunk counts for in a budget."""
    if update.state in {State.PENDING, State.REJECTED}:
        return Decimal(0)
    return counted(estimate, update.cost)


def insert_chunks(
    cursor: Cursor,
    campaign: int,
    chunks: Iterable[Chunk],
    *,
    common: str | None,
    load: int,
    run_id: int | None = None,
) -> None:
    """Insert chunks, pending or claimed by a run. A chunk stores its text only if it differs from the common text."""
    state = State.PENDING if run_id is None else State.CLAIMED
    rows: list[tuple[object, ...]] = []
    payloads: list[tuple[object, ...]] = []
    for chunk in chunks:
        body, text = pack(chunk.recipients), None if chunk.text == common else chunk.text
        estimate = f"{chunk.estimate.normalize():f}"
        size = len(chunk.recipients)
        rows.append((campaign, chunk.number, load, state, run_id, chunk.zone, size, chunk.depth, estimate))
        payloads.append((campaign, chunk.number, body, text, checksum(campaign, chunk.number, body, text)))
    cursor.executemany(sql.INSERT_CHUNK, rows)
    cursor.executemany(sql.INSERT_PAYLOAD, payloads)


def split(cursor: Cursor, campaign: int, run_id: int, chunk: Chunk, *, common: str | None) -> tuple[Chunk, ...]:
    """Replace a rejected chunk by two claimed halves. Return () if an earlier, unconfirmed transaction did so."""
    if move(cursor, campaign, chunk.number, ChunkUpdate(State.SPLIT), by=Actor.OWNER, run_id=run_id) is None:
        return ()
    first = next_number(cursor, campaign)
    halves = tuple(attrs.evolve(half, number=first + index) for index, half in enumerate(chunk.halves()))
    (load,) = cursor.execute(
        "SELECT load FROM chunk WHERE campaign = ? AND number = ?", (campaign, chunk.number)
    ).fetchone()
    insert_chunks(cursor, campaign, halves, common=common, load=load, run_id=run_id)
    cursor.execute("DELETE FROM payload WHERE campaign = ? AND number = ?", (campaign, chunk.number))
    return halves


def next_number(cursor: Cursor, campaign: int) -> int:
    """Return the next chunk number, and block other insertions until the transaction ends."""
    cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
    return sql.last_number(cursor, campaign) + 1


def page_of_recipients(
    cursor: Cursor, *, campaign: int, after: int, limit: int
) -> list[tuple[int, State, str | None, str, tuple[Recipient, ...]]]:
    """Read number, state, message id, detail and recipients of the next chunks."""
    rows = cursor.execute(sql.ROWS_AFTER, (campaign, after, limit)).fetchall()
    return [
        (number, State(state), message_id, detail, unpack(body)) for number, state, message_id, detail, body in rows
    ]


def page_of_numbers(cursor: Cursor, *, campaign: int, after: int, limit: int) -> list[tuple[int, array[int]]]:
    """Read the numbers of the next chunks' recipients as integers."""
    rows = cursor.execute(sql.BODIES_AFTER, (campaign, after, limit)).fetchall()
    return [(number, unpack_numbers(body)) for number, body in rows]


def page_of_skipped(
    cursor: Cursor, *, campaign: int, after: tuple[int, int], limit: int
) -> list[tuple[int, int, str, str, str]]:
    """Read load, row, reason, input and detail of the next skipped recipients."""
    return cursor.execute(sql.SKIPPED_AFTER, (campaign, *after, limit)).fetchall()


def _unclaim(cursor: Cursor, campaign: int, run_id: int, numbers: Iterable[int]) -> Decimal:
    """Make claimed chunks pending, and return the sum of their estimates in units."""
    units = Decimal(0)
    for number in numbers:
        values = (State.PENDING, campaign, number, State.CLAIMED, run_id)
        released = cursor.execute(sql.RELEASE, values).fetchall()
        units += sum(Decimal(estimate) for (estimate,) in released)
    return units


def release(cursor: Cursor, campaign: int, run_id: int, numbers: Iterable[int]) -> None:
    """Make claimed chunks pending, and release their reservations."""
    runs.reserve(cursor, run_id, -_unclaim(cursor, campaign, run_id, numbers))


def release_all_but(cursor: Cursor, campaign: int, run_id: int, held: Collection[int]) -> None:
    """Release the run's claimed chunks except `held`: claims whose COMMIT was not confirmed."""
    query = "SELECT number FROM chunk WHERE campaign = ? AND state = ? AND run = ?"
    rows = cursor.execute(query, (campaign, State.CLAIMED, run_id)).fetchall()
    release(cursor, campaign, run_id, [number for (number,) in rows if number not in held])


def make_pending(cursor: Cursor, campaign: int, states: Iterable[str]) -> None:
    """Make chunks pending for a resend. If one was unknown, delete the balance, which can prove nothing afterwards."""
    for state in sorted(sources(State.PENDING, Actor.PERSON) & set(map(State, states))):
        cursor.execute(
            "UPDATE chunk SET state = ?, run = NULL, detail = '', perhaps = CASE WHEN state = ? THEN at ELSE perhaps END"
            " WHERE campaign = ? AND state = ?",
            (State.PENDING, State.UNKNOWN, campaign, state),
        )
        if state is State.UNKNOWN and cursor.rowcount:
            cursor.execute("UPDATE campaign SET balance = NULL, balance_at = NULL WHERE id = ?", (campaign,))
