"""The journal's statements, in the SQL that `database.py` describes. Its tables: `schema.py`."""

from __future__ import annotations

from collections.abc import Iterable

LOCK_NUMBERS = "SELECT value FROM journal WHERE name = 'version' /*! FOR UPDATE */"
LOCK_CAMPAIGN = "SELECT id FROM campaign WHERE id = ? /*! FOR UPDATE */"
LOCK_LOADING = """SELECT id /*!, pg_try_advisory_lock(hashtext(current_schema()), id::int) */
    FROM campaign WHERE id = ?"""
"""A lock of the session: it outlives transactions, and goes with the connection."""
UNLOCK_LOADING = """SELECT id /*!, pg_advisory_unlock(hashtext(current_schema()), id::int) */
    FROM campaign WHERE id = ?"""

_PICKED = "(campaign, number) IN (SELECT campaign, number FROM picked)"
_STATE = "coalesce(state, '')"
"""Theory of both: as a campaign runs, PostgreSQL's statistics age (nobody may have taken any), and of what it went through there
are dead rows and index entries (nobody may have vacuumed, and none of them can be while a backup goes on). A chunk whose
number is known must be found by its primary key then, so nothing else that it is asked for may offer another way: not
the campaign alone, of which all chunks are, and not a state, of which thousands were that are dead. What is picked first is
materialised, or it would be picked once for every row."""

NEXT_ID = {table: f"SELECT coalesce(max(id), 0) + 1 FROM {table}" for table in ("campaign", "load", "run")}

INSERT_CHUNK = """INSERT INTO chunk (campaign, number, load, state, run, zone, recipients, depth, estimate)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_PAYLOAD = "INSERT INTO payload (campaign, number, body, text, checksum) VALUES (?, ?, ?, ?, ?)"
INSERT_SKIPPED = "INSERT INTO skipped (campaign, load, row, reason, given, detail) VALUES (?, ?, ?, ?, ?, ?)"

SUMS = """SELECT state, estimate, cost, count(*), CAST(sum(recipients) AS BIGINT) FROM chunk WHERE campaign = ?
    GROUP BY state, estimate, cost"""

BEGIN_RUN = """INSERT INTO run (id, campaign, began, heartbeat, worker, lease)
    VALUES (?, ?, clock(), clock(), ?, ?)"""
BEAT = "UPDATE run SET heartbeat = clock(), status = ? WHERE id = ? AND ended IS NULL"
RESERVE = """UPDATE run SET reserved = CASE WHEN reserved < 4000000000000000000 THEN reserved + ? ELSE reserved END
    WHERE id = ?"""
"""What is reserved never passes what the column can hold."""
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
    AND (run IS NULL OR run <> ?) ORDER BY number LIMIT ? /*! FOR UPDATE SKIP LOCKED */)
    UPDATE chunk SET state = ?, run = ? WHERE {_PICKED} RETURNING number, depth, estimate"""
"""Claims pending chunks of a zone, from a number on, which this run did not try yet."""
RELEASE = f"""UPDATE chunk SET state = ?, run = NULL WHERE campaign = ? AND number = ? AND {_STATE} = ? AND run = ?
    RETURNING estimate"""

ZONES = """WITH RECURSIVE found (zone) AS (
    SELECT (SELECT zone FROM chunk WHERE campaign = ? AND state = ? AND (run IS NULL OR run <> ?)
        ORDER BY zone LIMIT 1)
    UNION ALL
    SELECT (SELECT zone FROM chunk WHERE campaign = ? AND state = ? AND (run IS NULL OR run <> ?)
        AND zone > found.zone ORDER BY zone LIMIT 1)
    FROM found WHERE found.zone IS NOT NULL)
    SELECT zone FROM found WHERE zone IS NOT NULL"""
"""One step in the index for each zone, however many chunks are pending."""

ROWS_AFTER = """SELECT chunk.number, state, message_id, detail, body FROM chunk
    JOIN payload ON payload.campaign = chunk.campaign AND payload.number = chunk.number
    WHERE chunk.campaign = ? AND chunk.number > ? ORDER BY chunk.number LIMIT ?"""
BODIES_AFTER = "SELECT number, body FROM payload WHERE campaign = ? AND number > ? ORDER BY number LIMIT ?"
SKIPPED_AFTER = """SELECT load, row, reason, given, detail FROM skipped WHERE campaign = ? AND (load, row) > (?, ?)
    ORDER BY load, row LIMIT ?"""


def standing(states: Iterable[str]) -> str:
    """Return the statement that reads what chunks in these states cost, and what each run has reserved, at one moment."""
    words = ", ".join(f"'{state}'" for state in states)
    return f"""SELECT count(*), estimate, cost, 0 FROM chunk WHERE campaign = ? AND state IN ({words})
    GROUP BY estimate, cost UNION ALL SELECT 0, '0', NULL, reserved FROM run WHERE campaign = ?"""


def move(sources: Iterable[str], *, owned: bool) -> str:
    """Return the statement that moves one chunk from any of these states; 0 rows: it was not there, stop."""
    states = ", ".join(f"'{state}'" for state in sorted(sources))
    run = " AND run = ?" if owned else ""
    return f"""UPDATE chunk SET state = ?, cost = ?, message_id = ?, detail = ?
    WHERE campaign = ? AND number = ? AND {_STATE} IN ({states}){run}"""
