"""What is done in the journal's database, each as a unit of work for the writer."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient, Skipped
from callsavvy_async.bulk.stop_rules import counted
from callsavvy_async.campaigns.errors import ChunkLostError, JournalDamagedError, LeaseLostError
from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.budget import CampaignBudget, affordable
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.payload import checksum, pack, unpack, unpack_numbers
from callsavvy_async.campaigns.states import Actor, State, sources


@attrs.frozen
class Transition:
    """What a chunk is moved to."""

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
    limit: int,
    text: str,
    allowance: CampaignBudget | None = None,
) -> list[Chunk]:
    """Claim pending chunks of a zone that this run did not try yet, and read their recipients.

    Args:
        cursor: of the journal.
        campaign: of the chunks.
        run_id: that claims them.
        zone: of the chunks.
        since: the lowest number that is looked at.
        limit: chunks at most.
        text: of those that have none of their own.
        allowance: what may be spent; None for no limit.

    Raises:
        OutOfBudgetError: there are some, but the allowance does not cover the first of them.
        LeaseLostError: the run was taken for dead.
    """
    room = None if allowance is None else allowance.room(cursor, campaign)
    parameters = (campaign, State.PENDING, zone, since, run_id, limit, State.CLAIMED, run_id)
    claimed = sorted(cursor.execute(sql.CLAIM, parameters).fetchall())
    taken, units = affordable([Decimal(estimate) for *_, estimate in claimed], room)
    release(cursor, campaign, run_id, [number for number, *_ in claimed[taken:]])
    cursor.execute(sql.RESERVE_AND_BEAT, (runs.millionths(units), run_id))
    if cursor.rowcount != 1:
        raise LeaseLostError(f"run {run_id} was taken for dead: it did not write for longer than its lease.")
    return [
        attrs.evolve(read_chunk(cursor, campaign, number, text), depth=depth, zone=zone, estimate=Decimal(estimate))
        for number, depth, estimate in claimed[:taken]
    ]


def read_chunk(cursor: Cursor, campaign: int, number: int, text: str) -> Chunk:
    """Read the recipients of a chunk, and its own text if it has one.

    Raises:
        JournalDamagedError: they are not what was written.
    """
    query = "SELECT body, text, checksum FROM payload WHERE campaign = ? AND number = ?"
    found = cursor.execute(query, (campaign, number)).fetchone()
    if found is None or checksum(campaign, number, found[0], found[1]) != found[2]:
        raise JournalDamagedError(f"the recipients of chunk {number} are damaged or missing; it is not sent.")
    return Chunk(number, text if found[1] is None else found[1], unpack(found[0]))


def pending_zones(cursor: Cursor, campaign: int, run_id: int) -> list[str]:
    """Return the zones of which there are pending chunks that this run did not try yet."""
    values = (campaign, State.PENDING, run_id)
    return [zone for (zone,) in cursor.execute(sql.ZONES, values * 2)]


def move(
    cursor: Cursor, campaign: int, number: int, outcome: Transition, *, by: Actor, run_id: int | None = None
) -> bool:
    """Move one chunk; False when its owner did so before, in a transaction whose end it never heard of.

    Raises:
        ChunkLostError: it was in no state from which it may be moved there, or another run's.
    """
    cost = None if outcome.cost is None else str(outcome.cost)
    owned = by is Actor.OWNER
    parameters = (
        outcome.state,
        cost,
        outcome.message_id,
        outcome.detail,
        campaign,
        number,
        *((run_id,) if owned else ()),
    )
    cursor.execute(sql.move(sources(outcome.state, by), owned=owned), parameters)
    if cursor.rowcount == 1:
        return True
    if owned and whereabouts(cursor, campaign, number) == (outcome.state, run_id):
        return False
    raise ChunkLostError(f"chunk {number} cannot become {outcome.state}: it is in no state that leads there.")


def depart(cursor: Cursor, campaign: int, run_id: int, number: int) -> None:
    """Write down that a claimed chunk goes in flight."""
    move(cursor, campaign, number, Transition(State.IN_FLIGHT), by=Actor.OWNER, run_id=run_id)


def retreat(cursor: Cursor, campaign: int, run_id: int, number: int) -> None:
    """Give back a chunk that is claimed, or in flight and did not leave."""
    if whereabouts(cursor, campaign, number) == (State.IN_FLIGHT, run_id):
        move(cursor, campaign, number, Transition(State.CLAIMED), by=Actor.OWNER, run_id=run_id)
    give_back(cursor, campaign, run_id, (number,))


def settle(cursor: Cursor, campaign: int, run_id: int, number: int, outcome: Transition, *, estimate: Decimal) -> None:
    """Write down what its owner knows of a chunk, also when it was taken for dead in the meantime.

    Args:
        cursor: of the journal.
        campaign: of the chunk.
        run_id: of the owner.
        number: of the chunk.
        outcome: what became of it. Not sent is pending; if it was declared unknown before, it is proved not to be sent.
        estimate: units that were reserved for it.

    Raises:
        ChunkLostError: it was sent, and somebody decided otherwise in the meantime.
    """
    try:
        moved = move(cursor, campaign, number, outcome, by=Actor.OWNER, run_id=run_id)
    except ChunkLostError:
        if outcome.state is not State.PENDING:
            raise
        if whereabouts(cursor, campaign, number) != (State.UNKNOWN, run_id):
            return  # it is pending already, or somebody else's
        moved = move(cursor, campaign, number, Transition(State.NOT_SENT), by=Actor.OWNER, run_id=run_id)
    if moved:
        runs.reserve(cursor, run_id, spent(outcome, estimate) - estimate)


def whereabouts(cursor: Cursor, campaign: int, number: int) -> tuple[str, int | None] | None:
    """Return the state of a chunk, and whose it is."""
    query = "SELECT state, run FROM chunk WHERE campaign = ? AND number = ?"
    found: tuple[str, int | None] | None = cursor.execute(query, (campaign, number)).fetchone()
    return found


def spent(outcome: Transition, estimate: Decimal) -> Decimal:
    """Return what a chunk cost, or may have cost, as far as a limit is concerned."""
    if outcome.state in {State.PENDING, State.REJECTED}:
        return Decimal(0)
    return counted(estimate, outcome.cost)


def insert_chunks(
    cursor: Cursor,
    campaign: int,
    chunks: Iterable[Chunk],
    *,
    common: str | None,
    load: int,
    run_id: int | None = None,
) -> None:
    """Add chunks: pending, or claimed by an run. Only a text that is not the common one is written with its chunk."""
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


def insert_skipped(cursor: Cursor, *, campaign: int, load: int, skipped: Iterable[Skipped]) -> None:
    """Add recipients who are left out."""
    rows = [(campaign, load, row.row, row.reason.value, row.given, row.detail) for row in skipped]
    cursor.executemany(sql.INSERT_SKIPPED, rows)


def split(cursor: Cursor, campaign: int, run_id: int, chunk: Chunk, *, common: str | None) -> tuple[Chunk, ...]:
    """Put two halves, claimed already, in the place of a rejected chunk; none when they were put there before."""
    if not move(cursor, campaign, chunk.number, Transition(State.SPLIT), by=Actor.OWNER, run_id=run_id):
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
    """Return the number that the next chunk gets; who adds chunks at the same time waits."""
    cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()
    (last,) = cursor.execute("SELECT coalesce(max(number), 0) FROM chunk WHERE campaign = ?", (campaign,)).fetchone()
    return int(last) + 1


def page_of_recipients(
    cursor: Cursor, *, campaign: int, after: int, limit: int
) -> list[tuple[int, State, str | None, str, tuple[Recipient, ...]]]:
    """Read the next chunks with their recipients."""
    rows = cursor.execute(sql.ROWS_AFTER, (campaign, after, limit)).fetchall()
    return [
        (number, State(state), message_id, detail, unpack(body)) for number, state, message_id, detail, body in rows
    ]


def page_of_numbers(cursor: Cursor, *, campaign: int, after: int, limit: int) -> list[tuple[int, array[int]]]:
    """Read the next chunks' recipients as integers."""
    rows = cursor.execute(sql.BODIES_AFTER, (campaign, after, limit)).fetchall()
    return [(number, unpack_numbers(body)) for number, body in rows]


def page_of_skipped(
    cursor: Cursor, *, campaign: int, after: tuple[int, int], limit: int
) -> list[tuple[int, int, str, str, str]]:
    """Read load, row, reason, what was given and detail of the next recipients who were left out."""
    return cursor.execute(sql.SKIPPED_AFTER, (campaign, *after, limit)).fetchall()


def release(cursor: Cursor, campaign: int, run_id: int, numbers: Iterable[int]) -> Decimal:
    """Make claimed chunks pending, as if they had never been claimed; return the sum of their estimates."""
    units = Decimal(0)
    for number in numbers:
        values = (State.PENDING, campaign, number, State.CLAIMED, run_id)
        released = cursor.execute(sql.RELEASE, values).fetchall()
        units += sum(Decimal(estimate) for (estimate,) in released)
    return units


def give_back(cursor: Cursor, campaign: int, run_id: int, numbers: Iterable[int]) -> None:
    """Release chunks that were claimed, and what was reserved for them."""
    runs.reserve(cursor, run_id, -release(cursor, campaign, run_id, numbers))


def give_back_all_but(cursor: Cursor, campaign: int, run_id: int, held: Collection[int]) -> None:
    """Release what this run claimed in a transaction whose end it never heard of: all but what it holds."""
    query = "SELECT number FROM chunk WHERE campaign = ? AND state = ? AND run = ?"
    rows = cursor.execute(query, (campaign, State.CLAIMED, run_id)).fetchall()
    give_back(cursor, campaign, run_id, [number for (number,) in rows if number not in held])


def make_pending(cursor: Cursor, campaign: int, states: Iterable[str]) -> None:
    """Make chunks pending that a person wants to be sent again. Where one is unknown, the balance proves nothing from then on."""
    for state in sorted(sources(State.PENDING, Actor.PERSON) & set(map(State, states))):
        cursor.execute(
            "UPDATE chunk SET state = ?, run = NULL, detail = '' WHERE campaign = ? AND state = ?",
            (State.PENDING, campaign, state),
        )
        if state is State.UNKNOWN and cursor.rowcount:
            cursor.execute("UPDATE campaign SET balance = NULL, balance_at = NULL WHERE id = ?", (campaign,))
