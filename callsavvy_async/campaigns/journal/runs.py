"""The runs of a journal: their leases, heartbeats and reservations.

Theory:

1. Fencing. A run gets a number when it begins, and owns the chunks that carry it. Each of its updates requires
   ``run = <own number>``.
2. Leases. Where several processes write the journal, a run without a heartbeat within its lease counts as dead, by the
   database's clock. Any other process takes over: claimed chunks become pending, chunks in flight become unknown.
3. False alarms are safe. A run that was only suspended finds its chunks in other states, so it sends none of the claimed
   chunks. It still reports the outcomes of its requests in flight.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

import attrs

from callsavvy_async.campaigns.journal import processes, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.jsonable import Jsonable

PROCESS_DIED = "the process died while it was in flight"
_MILLION = 1_000_000
_MOST = Decimal(4_000_000_000_000)
"""Largest reservation in units; see `sql.RESERVE`."""


@attrs.frozen
class Worker(Jsonable):
    """A run of a campaign by any process, as the journal records it.

    Attributes:
        number: number of the run.
        name: host and process, such as ``"web-3:4711"``.
        began: start in seconds since 1970, on the journal's clock.
        ended: end in seconds since 1970; None while the run is active, or dead but not taken over.
        heartbeat_age: seconds since the last heartbeat.
        alive: True if the run has not ended and its lease has not expired.
        in_flight: number of requests in flight.
        claimed: number of claimed chunks that are not sent yet.
        status: last reported status: ``settled`` requests and ``rate`` in requests per second; and of the account's limit:
            ``limit`` in requests per second (None until known), ``shut_for`` in seconds, ``why`` it applies, and the number
            of ``processes`` that share it (None if it is not shared, or the others are unreachable).
    """

    number: int
    name: str
    began: float
    ended: float | None
    heartbeat_age: float
    alive: bool
    in_flight: int
    claimed: int
    status: Mapping[str, object]

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return attrs.asdict(self)


def begin(cursor: Cursor, campaign: int, lease: float | None) -> int:
    """Begin a run, and return its number."""
    run_id = sql.next_id(cursor, "run")
    cursor.execute(sql.BEGIN_RUN, (run_id, campaign, process_name(), lease, processes.identity()))
    return run_id


def process_name() -> str:
    """Return the name of this process in the journal: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat(cursor: Cursor, run_id: int, status: Mapping[str, object]) -> bool:
    """Write a heartbeat. Return False if the run lost its lease."""
    cursor.execute(sql.BEAT, (json.dumps(status), run_id))
    return cursor.rowcount == 1


def end(cursor: Cursor, campaign: int, run_id: int) -> None:
    """End a run, and make its claimed chunks pending."""
    released = cursor.execute(
        "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ? AND run = ? RETURNING run, estimate",
        (State.PENDING, campaign, State.CLAIMED, run_id),
    ).fetchall()
    _unreserve(cursor, released)
    cursor.execute("UPDATE run SET ended = clock() WHERE id = ?", (run_id,))


def end_late(cursor: Cursor, campaign: int, run_id: int) -> None:
    """End a run that stopped before this write, and make its chunks in flight unknown."""
    end(cursor, campaign, run_id)
    take_over(cursor, [campaign])


def take_over_all(cursor: Cursor, *, all_are_dead: bool) -> None:
    """Take over the dead runs of every campaign; see `take_over`.

    Args:
        cursor: cursor of the journal.
        all_are_dead: True to include runs without a lease, if this process has exclusive use of the journal.
    """
    campaigns = cursor.execute("SELECT id FROM campaign ORDER BY id").fetchall()
    take_over(cursor, [campaign for (campaign,) in campaigns], all_are_dead=all_are_dead)


def take_over(cursor: Cursor, campaigns: Iterable[int], *, all_are_dead: bool = False) -> None:
    """End dead runs, and make their claimed chunks pending and their chunks in flight unknown.

    Skips rows that another transaction has locked, so it never waits. The next takeover finds them, and also chunks that a
    run moved while it was declared dead, because their run has ended.
    """
    for (run_id,) in cursor.execute(sql.DEAD_RUNS, (all_are_dead,)).fetchall():
        cursor.execute("UPDATE run SET ended = clock() WHERE id = ?", (run_id,))
    for campaign in campaigns:
        for to, detail in ((State.PENDING, ""), (State.UNKNOWN, PROCESS_DIED)):
            for source in sources(to, Actor.RECOVERY):
                values = (campaign, source, to, detail)
                settled = cursor.execute(sql.SETTLE_DEAD, values).fetchall()
                if to is State.PENDING:
                    _unreserve(cursor, settled)


def is_running(cursor: Cursor, campaign: int) -> bool:
    """Return True if a run has not ended and its lease has not expired."""
    return cursor.execute(sql.IS_RUNNING, (campaign,)).fetchone() is not None


def lock_without_run(cursor: Cursor, campaign: int, fix: str) -> None:
    """Check that a campaign has no active run, and block new runs until the transaction ends.

    Raises:
        InvalidRequestError: a run is active; the text ends with `fix`.
    """
    cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()  # a run begins under the same lock
    take_over(cursor, [campaign])
    query = "SELECT 1 FROM run WHERE campaign = ? AND ended IS NULL"  # includes a run that writes its heartbeat now
    if cursor.execute(query, (campaign,)).fetchone() is not None:
        raise InvalidRequestError(f"this campaign has an active run; {fix}.")


def others_hold(cursor: Cursor, campaign: int, run_id: int) -> bool:
    """Return True if other active runs hold chunks that may become pending."""
    values = (campaign, State.CLAIMED, State.IN_FLIGHT, run_id)
    return cursor.execute(sql.HELD_BY_OTHERS, values).fetchone() is not None


def workers(cursor: Cursor, campaign: int) -> tuple[Worker, ...]:
    """Return every run of a campaign, the oldest first."""
    query = "SELECT run, state, count(*) FROM chunk WHERE campaign = ? AND state IN (?, ?) GROUP BY run, state"
    rows = cursor.execute(query, (campaign, State.CLAIMED, State.IN_FLIGHT)).fetchall()
    held = {(run_id, state): count for run_id, state, count in rows}
    return tuple(
        Worker(
            number,
            name,
            began,
            ended,
            heartbeat_age=age,
            alive=ended is None and (lease is None or age <= lease),
            in_flight=held.get((number, State.IN_FLIGHT), 0),
            claimed=held.get((number, State.CLAIMED), 0),
            status=json.loads(status),
        )
        for number, name, began, ended, age, lease, status in cursor.execute(sql.RUNS, (campaign,)).fetchall()
    )


# ------------------------------------------------------------------------------------------------------ reservations


def reserve(cursor: Cursor, run_id: int, units: Decimal) -> None:
    """Add to the run's reserved units. A negative number releases units."""
    if units:
        cursor.execute(sql.RESERVE, (millionths(units), run_id))


def millionths(units: Decimal) -> int:
    """Convert units to whole millionths, which a database adds up exactly. Rounds up, so a limit is never exceeded.

    A response may contain any cost, so the result is capped to fit the column.
    """
    return int((min(units, _MOST) * _MILLION).to_integral_value(ROUND_CEILING))


def _unreserve(cursor: Cursor, released: Iterable[tuple[int | None, Any]]) -> None:
    """Release the estimates of chunks, given as rows of run and estimate."""
    totals: dict[int, Decimal] = {}
    for run_id, estimate in released:
        if run_id is not None:
            totals[run_id] = totals.get(run_id, Decimal(0)) + Decimal(estimate)
    for run_id, units in totals.items():
        reserve(cursor, run_id, -units)
