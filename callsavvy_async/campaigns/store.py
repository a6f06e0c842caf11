"""What is done in the journal's database, each as a unit of work for the writer."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient, Skipped, SkipReason
from callsavvy_async.campaigns import sql
from callsavvy_async.campaigns.errors import ChunkLostError, JournalDamagedError
from callsavvy_async.campaigns.payload import checksum, pack, unpack, unpack_numbers
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import Mover, State, sources

Cursor: TypeAlias = sqlite3.Cursor

PROCESS_DIED = "the process died while it was in flight"


@attrs.frozen
class Outcome:
    """What a chunk is moved to."""

    state: State
    cost: Decimal | None = None
    message_id: str | None = None
    detail: str = ""


def take_over(cursor: sqlite3.Cursor) -> None:
    """Settle what dead runs left: what they had claimed is pending, what was in flight is unknown."""
    for to, detail in ((State.PENDING, ""), (State.UNKNOWN, PROCESS_DIED)):
        for source in sources(to, Mover.HEIR):
            cursor.execute("UPDATE chunk SET state = ?, detail = ? WHERE state = ?", (to, detail, source))
    cursor.execute("UPDATE epoch SET ended = ? WHERE ended IS NULL", (time.time(),))


def begin_epoch(cursor: sqlite3.Cursor, campaign: int) -> int:
    """Write down that a run begins, and return its number."""
    now = time.time()
    (epoch,) = cursor.execute(sql.NEXT_ID["epoch"]).fetchone()
    cursor.execute(
        "INSERT INTO epoch (id, campaign, began, heartbeat) VALUES (?, ?, ?, ?)", (epoch, campaign, now, now)
    )
    return int(epoch)


def end_epoch(cursor: sqlite3.Cursor, epoch: int) -> None:
    """Write down that a run ended; what it had claimed is pending again."""
    for source in sources(State.PENDING, Mover.OWNER) & {State.CLAIMED}:
        cursor.execute("UPDATE chunk SET state = ? WHERE state = ? AND epoch = ?", (State.PENDING, source, epoch))
    cursor.execute("UPDATE epoch SET ended = ? WHERE id = ?", (time.time(), epoch))


def is_running(cursor: sqlite3.Cursor, campaign: int) -> bool:
    """Whether a run began and did not end."""
    query = "SELECT 1 FROM epoch WHERE campaign = ? AND ended IS NULL"
    return cursor.execute(query, (campaign,)).fetchone() is not None


def claim(
    cursor: sqlite3.Cursor, campaign: int, epoch: int, *, zones: Sequence[str], limit: int, text: str
) -> list[Chunk]:
    """Claim pending chunks of these zones that this epoch did not try yet, and read their recipients."""
    parameters = (campaign, State.PENDING, *zones, epoch, limit, State.CLAIMED, epoch, campaign, State.PENDING)
    claimed = cursor.execute(sql.claim(len(zones)), parameters).fetchall()
    cursor.execute("UPDATE epoch SET heartbeat = ? WHERE id = ?", (time.time(), epoch))
    return [
        attrs.evolve(read_chunk(cursor, campaign, number, text), depth=depth, zone=zone)
        for number, depth, zone in sorted(claimed)
    ]


def read_chunk(cursor: sqlite3.Cursor, campaign: int, number: int, text: str) -> Chunk:
    """Read the recipients of a chunk, and its own text if it has one.

    Raises:
        JournalDamagedError: they are not what was written.
    """
    query = "SELECT body, text, checksum FROM payload WHERE campaign = ? AND number = ?"
    found = cursor.execute(query, (campaign, number)).fetchone()
    if found is None or checksum(campaign, number, found[0], found[1]) != found[2]:
        raise JournalDamagedError(f"the recipients of chunk {number} are damaged or missing; it is not sent.")
    return Chunk(number, text if found[1] is None else found[1], unpack(found[0]))


def pending_zones(cursor: sqlite3.Cursor, campaign: int, epoch: int) -> list[str]:
    """Return the zones of which there are pending chunks that this epoch did not try yet."""
    query = "SELECT DISTINCT zone FROM chunk WHERE campaign = ? AND state = ? AND (epoch IS NULL OR epoch <> ?)"
    return [zone for (zone,) in cursor.execute(query, (campaign, State.PENDING, epoch))]


def move(
    cursor: sqlite3.Cursor, campaign: int, number: int, outcome: Outcome, *, by: Mover, epoch: int | None = None
) -> None:
    """Move one chunk.

    Raises:
        ChunkLostError: it was in no state from which it may be moved there, or another run's.
    """
    cost = None if outcome.cost is None else str(outcome.cost)
    owned = by is Mover.OWNER
    parameters = (
        outcome.state,
        cost,
        outcome.message_id,
        outcome.detail,
        campaign,
        number,
        *((epoch,) if owned else ()),
    )
    cursor.execute(sql.move(sources(outcome.state, by), owned=owned), parameters)
    if cursor.rowcount != 1:
        raise ChunkLostError(f"chunk {number} cannot become {outcome.state}: it is in no state that leads there.")


def insert_chunks(
    cursor: sqlite3.Cursor,
    campaign: int,
    spec: Spec,
    chunks: Iterable[Chunk],
    *,
    load: int,
    epoch: int | None = None,
) -> None:
    """Add chunks: pending, or claimed by an epoch."""
    state = State.PENDING if epoch is None else State.CLAIMED
    rows: list[tuple[object, ...]] = []
    payloads: list[tuple[object, ...]] = []
    for chunk in chunks:
        body, text = pack(chunk.recipients), None if chunk.text == spec.content else chunk.text
        estimate = f"{spec.estimate(chunk).normalize():f}"
        size = len(chunk.recipients)
        rows.append((campaign, chunk.number, load, state, epoch, chunk.zone, size, chunk.depth, estimate))
        payloads.append((campaign, chunk.number, body, text, checksum(campaign, chunk.number, body, text)))
    cursor.executemany(sql.INSERT_CHUNK, rows)
    cursor.executemany(sql.INSERT_PAYLOAD, payloads)


def insert_skipped(cursor: sqlite3.Cursor, *, campaign: int, load: int, skipped: Iterable[Skipped]) -> None:
    """Add recipients who are left out."""
    rows = [(campaign, load, row.row, row.reason.value, row.given, row.detail) for row in skipped]
    cursor.executemany(sql.INSERT_SKIPPED, rows)


def split(cursor: sqlite3.Cursor, campaign: int, epoch: int, chunk: Chunk, spec: Spec) -> tuple[Chunk, ...]:
    """Put two halves, claimed already, in the place of a rejected chunk."""
    move(cursor, campaign, chunk.number, Outcome(State.SPLIT), by=Mover.OWNER, epoch=epoch)
    first = next_number(cursor, campaign)
    halves = tuple(attrs.evolve(half, number=first + index) for index, half in enumerate(chunk.halves()))
    (load,) = cursor.execute(
        "SELECT load FROM chunk WHERE campaign = ? AND number = ?", (campaign, chunk.number)
    ).fetchone()
    insert_chunks(cursor, campaign, spec, halves, load=load, epoch=epoch)
    cursor.execute("DELETE FROM payload WHERE campaign = ? AND number = ?", (campaign, chunk.number))
    return halves


def next_number(cursor: sqlite3.Cursor, campaign: int) -> int:
    """Return the number that the next chunk gets."""
    (last,) = cursor.execute("SELECT coalesce(max(number), 0) FROM chunk WHERE campaign = ?", (campaign,)).fetchone()
    return int(last) + 1


def page_of_recipients(
    cursor: sqlite3.Cursor, *, campaign: int, after: int, limit: int
) -> list[tuple[int, State, str | None, str, tuple[Recipient, ...]]]:
    """Read the next chunks with their recipients."""
    rows = cursor.execute(sql.ROWS_AFTER, (campaign, after, limit)).fetchall()
    return [
        (number, State(state), message_id, detail, unpack(body)) for number, state, message_id, detail, body in rows
    ]


def page_of_numbers(cursor: sqlite3.Cursor, *, campaign: int, after: int, limit: int) -> list[tuple[int, array[int]]]:
    """Read the next chunks' recipients as integers."""
    rows = cursor.execute(sql.BODIES_AFTER, (campaign, after, limit)).fetchall()
    return [(number, unpack_numbers(body)) for number, body in rows]


def page_of_skipped(
    cursor: sqlite3.Cursor, *, campaign: int, after: tuple[int, int], limit: int
) -> list[tuple[int, int, str, str, str]]:
    """Read load, row, reason, what was given and detail of the next recipients who were left out."""
    return cursor.execute(sql.SKIPPED_AFTER, (campaign, *after, limit)).fetchall()


def fill(cursor: sqlite3.Cursor, campaign: int, report: CampaignReport) -> None:
    """Put the sums of the journal into a report."""
    fresh = CampaignReport(name=report.name, refusals=report.refusals, elapsed=report.elapsed, stopped=report.stopped)
    for state, estimate, cost, calls, recipients in cursor.execute(sql.SUMS, (campaign,)):
        fresh.add(State(state), recipients, calls, None if cost is None else Decimal(cost), Decimal(estimate))
    loads = "SELECT coalesce(sum(given), 0), count(*), count(digest) FROM load WHERE campaign = ?"
    fresh.given, begun, finished = cursor.execute(loads, (campaign,)).fetchone()
    fresh.input_complete = begun == finished > 0
    fresh.running = is_running(cursor, campaign)
    reasons = "SELECT reason, count(*) FROM skipped WHERE campaign = ? GROUP BY reason"
    fresh.skipped = Counter({SkipReason(reason): count for reason, count in cursor.execute(reasons, (campaign,))})
    for field in attrs.fields(CampaignReport):
        setattr(report, field.name, getattr(fresh, field.name))


def release(cursor: sqlite3.Cursor, campaign: int, epoch: int, numbers: Iterable[int]) -> None:
    """Make claimed chunks pending, as if they had never been claimed."""
    cursor.executemany(
        "UPDATE chunk SET state = ?, epoch = NULL WHERE campaign = ? AND number = ? AND state = ? AND epoch = ?",
        [(State.PENDING, campaign, number, State.CLAIMED, epoch) for number in numbers],
    )


def has_baseline(cursor: sqlite3.Cursor, campaign: int) -> bool:
    """Whether the balance was noted before the first call."""
    return balance_before(cursor, campaign)[0] is not None


def balance_before(cursor: sqlite3.Cursor, campaign: int) -> tuple[Decimal | None, float]:
    """Return the balance that was noted, and when."""
    query = "SELECT balance, coalesce(balance_at, 0) FROM campaign WHERE id = ?"
    balance, at = cursor.execute(query, (campaign,)).fetchone()
    return (None if balance is None else Decimal(balance)), float(at)


def note_balance(cursor: sqlite3.Cursor, campaign: int, balance: Decimal) -> None:
    """Note the balance before the first call."""
    query = "UPDATE campaign SET balance = ?, balance_at = ? WHERE id = ?"
    cursor.execute(query, (str(balance), time.time(), campaign))


def make_pending(cursor: sqlite3.Cursor, campaign: int, states: Iterable[str]) -> None:
    """Make chunks pending that a person wants to be sent again.

    Where one of them is unknown, what it may have cost is forgotten with that: the balance proves nothing from then on.
    """
    for state in sorted(sources(State.PENDING, Mover.PERSON) & set(map(State, states))):
        cursor.execute(
            "UPDATE chunk SET state = ?, epoch = NULL, detail = '' WHERE campaign = ? AND state = ?",
            (State.PENDING, campaign, state),
        )
        if state is State.UNKNOWN and cursor.rowcount:
            cursor.execute("UPDATE campaign SET balance = NULL, balance_at = NULL WHERE id = ?", (campaign,))


def unknown_chunks(cursor: sqlite3.Cursor, campaign: int) -> list[tuple[int, Decimal, str]]:
    """Return number, estimate and detail of every unknown chunk."""
    query = "SELECT number, estimate, detail FROM chunk WHERE campaign = ? AND state = ? ORDER BY number"
    rows = cursor.execute(query, (campaign, State.UNKNOWN))
    return [(number, Decimal(estimate), detail) for number, estimate, detail in rows]


def surprising_costs(cursor: sqlite3.Cursor, campaign: int) -> int:
    """Count the accepted calls whose reported cost was not the estimate."""
    query = "SELECT estimate, cost, count(*) FROM chunk WHERE campaign = ? AND state = ? GROUP BY estimate, cost"
    rows = cursor.execute(query, (campaign, State.ACCEPTED))
    return sum(calls for estimate, cost, calls in rows if cost is not None and Decimal(cost) != Decimal(estimate))


def purge(cursor: sqlite3.Cursor, campaign: int, spec: str) -> None:
    """Remove everything personal; what was to be sent is cancelled."""
    for source in sorted(sources(State.CANCELLED, Mover.PERSON)):
        cursor.execute(
            "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ?", (State.CANCELLED, campaign, source)
        )
    cursor.execute("DELETE FROM payload WHERE campaign = ?", (campaign,))
    cursor.execute("UPDATE skipped SET given = '', detail = '' WHERE campaign = ?", (campaign,))
    cursor.execute("UPDATE campaign SET spec = ?, purged = 1 WHERE id = ?", (spec, campaign))


def forget_deleted(cursor: sqlite3.Cursor) -> None:
    """Rewrite the file, so that nothing deleted is left in it or in its log. Outside of any transaction."""
    cursor.execute("VACUUM")
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
