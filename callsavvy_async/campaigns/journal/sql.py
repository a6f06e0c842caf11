"""The journal's statements, in the dialect of `database.py`. `schema.py` defines the tables."""

from __future__ import annotations

from collections.abc import Iterable

from callsavvy_async.bulk.recipients import Skipped
from callsavvy_async.campaigns.journal.database import Cursor

LOCK_IDS = "SELECT value FROM journal WHERE name = 'version' /*! FOR UPDATE */"
REACHED = "reached"
"""Fact: the index of reached people is on, and how far it reaches back; see `reach_index.py`."""
IS_INDEXED = f"SELECT value FROM journal WHERE name = '{REACHED}'"
LOCK_CAMPAIGN = "SELECT id FROM campaign WHERE id = ? /*! FOR UPDATE */"
LOCK_LOADING = """SELECT id /*!, pg_try_advisory_lock(hashtext(current_schema()), id::int) */
    FROM campaign WHERE id = ?"""
"""A session lock: it outlives transactions and ends with the connection."""
UNLOCK_LOADING = """SELECT id /*!, pg_advisory_unlock(hashtext(current_schema()), id::int) */
    FROM campaign WHERE id = ?"""

_PICKED = "(campaign, number) IN (SELECT campaign, number FROM picked)"
_STATE = "coalesce(state, '')"
"""Both force PostgreSQL to find a chunk by its primary key. During a campaign the planner's statistics may be missing or
outdated, and many dead rows and index entries may await a vacuum, which a running backup delays. An index on the state
would then lead through thousands of entries, so `_PICKED` names only the primary key and `_STATE` hides the column from
the planner. `picked` is materialised; otherwise PostgreSQL may evaluate it once per row."""

INSERT_CHUNK = """INSERT INTO chunk (campaign, number, load, state, run, zone, recipients, depth, estimate)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_PAYLOAD = "INSERT INTO payload (campaign, number, body, text, checksum) VALUES (?, ?, ?, ?, ?)"
INSERT_SKIPPED = "INSERT INTO skipped (campaign, load, row, reason, given, detail) VALUES (?, ?, ?, ?, ?, ?)"

SUMS = """SELECT state, estimate, cost, count(*), CAST(sum(recipients) AS BIGINT) FROM chunk WHERE campaign = ?
    GROUP BY state, estimate, cost
    UNION ALL SELECT 'skipped', reason, CAST(NULL AS TEXT), 0, count(*) FROM skipped WHERE campaign = ? GROUP BY reason"""
"""One statement, because a claim of another process moves people from chunks to the skipped rows."""

BEGIN_RUN = """INSERT INTO run (id, campaign, began, heartbeat, worker, lease, process)
    VALUES (?, ?, clock(), clock(), ?, ?, ?)"""
BEAT = "UPDATE run SET heartbeat = clock(), status = ? WHERE id = ? AND ended IS NULL"
RESERVE = """UPDATE run SET reserved = CASE WHEN reserved < 4000000000000000000 THEN reserved + ? ELSE reserved END
    WHERE id = ?"""
"""Stops short of the largest value of the column."""
RESERVE_AND_BEAT = """UPDATE run SET heartbeat = clock(), reserved = reserved + ? WHERE id = ?
    AND ended IS NULL"""
DEAD_RUNS = """SELECT id FROM run WHERE ended IS NULL AND (lease IS NULL AND ? OR heartbeat + lease < clock())
    /*! FOR UPDATE SKIP LOCKED */"""
IS_RUNNING = """SELECT 1 FROM run WHERE campaign = ? AND ended IS NULL
    AND (lease IS NULL OR heartbeat + lease >= clock())"""
RUNS = """SELECT id, worker, began, ended, clock() - heartbeat, lease, status FROM run
    WHERE campaign = ? ORDER BY id"""
HELD_BY_OTHERS = """SELECT 1 FROM chunk
    JOIN run ON run.id = chunk.run AND (ended IS NULL OR lease IS NOT NULL)
    WHERE chunk.campaign = ? AND state IN (?, ?) AND chunk.run <> ? LIMIT 1"""
SETTLE_DEAD = f"""WITH picked AS MATERIALIZED (
    SELECT campaign, number FROM chunk WHERE campaign = ? AND state = ?
    AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = chunk.run AND ended IS NULL)
    /*! FOR UPDATE OF chunk SKIP LOCKED */)
    UPDATE chunk SET state = ?, detail = ? WHERE {_PICKED} RETURNING run, estimate"""

CLAIM = f"""WITH picked AS MATERIALIZED (
    SELECT campaign, number FROM chunk WHERE campaign = ? AND state = ? AND zone = ? AND number >= ?
    AND number <= ? AND (run IS NULL OR run <> ?) ORDER BY number LIMIT ? /*! FOR UPDATE SKIP LOCKED */)
    UPDATE chunk SET state = ?, run = ? WHERE {_PICKED} RETURNING number, depth, estimate"""
"""Claims pending chunks of a zone, from a number to another, that this run has not tried."""
RELEASE = f"""UPDATE chunk SET state = ?, run = NULL WHERE campaign = ? AND number = ? AND {_STATE} = ? AND run = ?
    RETURNING estimate"""

ZONES = """WITH RECURSIVE found (zone) AS (
    SELECT (SELECT zone FROM chunk WHERE campaign = ? AND state = ? AND (run IS NULL OR run <> ?)
        AND number <= ? ORDER BY zone LIMIT 1)
    UNION ALL
    SELECT (SELECT zone FROM chunk WHERE campaign = ? AND state = ? AND (run IS NULL OR run <> ?)
        AND number <= ? AND zone > found.zone ORDER BY zone LIMIT 1)
    FROM found WHERE found.zone IS NOT NULL)
    SELECT zone FROM found WHERE zone IS NOT NULL"""
"""Takes one step in the index per zone, independent of the number of pending chunks."""

ROWS_AFTER = """SELECT chunk.number, state, message_id, detail, body FROM chunk
    JOIN payload ON payload.campaign = chunk.campaign AND payload.number = chunk.number
    WHERE chunk.campaign = ? AND chunk.number > ? ORDER BY chunk.number LIMIT ?"""
BODIES_AFTER = "SELECT number, body FROM payload WHERE campaign = ? AND number > ? ORDER BY number LIMIT ?"
SKIPPED_AFTER = """SELECT load, row, reason, given, detail FROM skipped WHERE campaign = ? AND (load, row) > (?, ?)
    ORDER BY load, row LIMIT ?"""


def next_id(cursor: Cursor, table: str) -> int:
    """Return the next id of `campaign`, `load` or `run`; other processes wait for it until the transaction ends."""
    cursor.execute(LOCK_IDS).fetchone()
    return int(cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def last_number(cursor: Cursor, campaign: int) -> int:
    """Return the highest chunk number of a campaign; 0 if it has no chunks."""
    query = "SELECT coalesce(max(number), 0) FROM chunk WHERE campaign = ?"
    return int(cursor.execute(query, (campaign,)).fetchone()[0])


def insert_skipped(cursor: Cursor, campaign: int, load: int, skipped: Iterable[Skipped]) -> None:
    """Insert skipped recipients."""
    rows = [(campaign, load, row.row, row.reason.value, row.given, row.detail) for row in skipped]
    cursor.executemany(INSERT_SKIPPED, rows)


def count_recipients(cursor: Cursor, campaign: int) -> int:
    """Return the number of recipients in the chunks of a campaign."""
    query = "SELECT CAST(coalesce(sum(recipients), 0) AS BIGINT) FROM chunk WHERE campaign = ? AND state <> 'split'"
    return int(cursor.execute(query, (campaign,)).fetchone()[0])


def spending(states: Iterable[str]) -> str:
    """Return a query for the costs of chunks in these states and the reservations of all runs, from one snapshot."""
    return f"""SELECT count(*), estimate, cost, 0 FROM chunk WHERE campaign = ? AND state IN ({listed(states)})
    GROUP BY estimate, cost UNION ALL SELECT 0, '0', NULL, reserved FROM run WHERE campaign = ?"""


def move(sources: Iterable[str], *, owned: bool) -> str:
    """Return a statement that moves one chunk from any of these states and returns its estimate."""
    run = " AND run = ?" if owned else ""
    return f"""UPDATE chunk SET state = ?, cost = ?, message_id = ?, detail = ?
    WHERE campaign = ? AND number = ? AND {_STATE} IN ({listed(sources)}){run} RETURNING estimate"""


def listed(states: Iterable[str]) -> str:
    """Return states as a list of SQL literals."""
    return ", ".join(f"'{state}'" for state in sorted(states))
