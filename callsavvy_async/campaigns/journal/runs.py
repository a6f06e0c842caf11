"""The runs of a journal: each is a run, one row with one heartbeat, that says who has what it claimed.

Theory: a number that a run gets when it begins fences off everybody else: each of its moves says "where the run is
mine". Where several processes write the journal, a run that does not write for longer than its lease is taken for dead by
any other: what it had claimed is pending again, what it had in flight is unknown. It is told by the database's clock, and
need not be right: a run that was merely asleep finds its run ended and its chunks in other states, so it sends nothing
of what it had claimed; what it knows of those on the wire it still reports.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

import attrs

from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.states import Actor, State, sources

PROCESS_DIED = "the process died while it was in flight"
_MILLION = 1_000_000
_MOST = Decimal(4_000_000_000_000)
"""Units; see `sql.RESERVE`."""


@attrs.frozen
class Worker:
    """A run of a campaign, of any process, as the journal knows it.

    Attributes:
        number: of its run.
        name: host and process: ``"web-3:4711"``.
        began: seconds since 1970, as all times here, on the journal's clock.
        ended: None while it runs, or when nobody noticed yet that it died.
        heartbeat_age: seconds since it last wrote.
        alive: whether it runs and wrote within its lease.
        in_flight: requests on the wire.
        claimed: requests that it took and did not send yet.
        status: what it last said of itself: ``settled`` requests, and ``rate`` in requests a second; of the account's limit
            ``limit`` in requests a second (None until known), ``shut_for`` seconds, ``why`` it is kept to, and by how many
            ``processes`` (None where the limit is not shared, or they are out of reach).
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
    """Write down that a run begins, and return its number."""
    cursor.execute(sql.LOCK_NUMBERS).fetchone()
    (run_id,) = cursor.execute(sql.NEXT_ID["run"]).fetchone()
    cursor.execute(sql.BEGIN_RUN, (run_id, campaign, f"{socket.gethostname()}:{os.getpid()}", lease))
    return int(run_id)


def beat(cursor: Cursor, run_id: int, status: Mapping[str, object]) -> bool:
    """Write down that a run is alive; False when it was taken for dead."""
    cursor.execute(sql.BEAT, (json.dumps(status), run_id))
    return cursor.rowcount == 1


def end(cursor: Cursor, campaign: int, run_id: int) -> None:
    """Write down that a run ended; what it had claimed is pending again."""
    released = cursor.execute(
        "UPDATE chunk SET state = ? WHERE campaign = ? AND state = ? AND run = ? RETURNING run, estimate",
        (State.PENDING, campaign, State.CLAIMED, run_id),
    ).fetchall()
    _give_back(cursor, released)
    cursor.execute("UPDATE run SET ended = clock() WHERE id = ?", (run_id,))


def end_late(cursor: Cursor, campaign: int, run_id: int) -> None:
    """Write down that a run ended some time ago; what it had in flight, and cannot say any more, is unknown."""
    end(cursor, campaign, run_id)
    take_over(cursor, [campaign])


def take_over_all(cursor: Cursor, *, all_are_dead: bool) -> None:
    """Settle what dead runs left, of every campaign; see `take_over`.

    Args:
        cursor: of the journal.
        all_are_dead: also those without a lease: who calls this has the journal alone.
    """
    campaigns = cursor.execute("SELECT id FROM campaign ORDER BY id").fetchall()
    take_over(cursor, [campaign for (campaign,) in campaigns], all_are_dead=all_are_dead)


def take_over(cursor: Cursor, campaigns: Iterable[int], *, all_are_dead: bool = False) -> None:
    """Settle what dead runs left: what they had claimed is pending, what was in flight is unknown.

    A row that somebody holds at the moment is left to the next time: nobody waits here. Chunks that a run moved while it
    was being declared dead are found the next time, too: they belong to a run that ended.
    """
    for (run_id,) in cursor.execute(sql.DEAD_RUNS, (all_are_dead,)).fetchall():
        cursor.execute("UPDATE run SET ended = clock() WHERE id = ?", (run_id,))
    for campaign in campaigns:
        for to, detail in ((State.PENDING, ""), (State.UNKNOWN, PROCESS_DIED)):
            for source in sources(to, Actor.RECOVERY):
                values = (campaign, source, to, detail)
                settled = cursor.execute(sql.SETTLE_DEAD, values).fetchall()
                if to is State.PENDING:
                    _give_back(cursor, settled)


def is_running(cursor: Cursor, campaign: int) -> bool:
    """Whether a run began and did not end, nor passed its lease."""
    return cursor.execute(sql.IS_RUNNING, (campaign,)).fetchone() is not None


def nobody_runs(cursor: Cursor, campaign: int) -> bool:
    """Whether no run is under way, for who holds the campaign's row. Who passed its lease finds its run ended when it wakes."""
    take_over(cursor, [campaign])
    query = "SELECT 1 FROM run WHERE campaign = ? AND ended IS NULL"  # also who beats at this moment
    return cursor.execute(query, (campaign,)).fetchone() is None


def others_hold(cursor: Cursor, campaign: int, run_id: int) -> bool:
    """Whether other runs that did not end have chunks which may yet become pending."""
    values = (campaign, State.CLAIMED, State.IN_FLIGHT, run_id)
    return cursor.execute(sql.HELD_BY_OTHERS, values).fetchone() is not None


def workers(cursor: Cursor, campaign: int) -> tuple[Worker, ...]:
    """Return all runs of a campaign, the oldest first."""
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


# ------------------------------------------------------------------------------------------------- what runs may spend


def reserve(cursor: Cursor, run_id: int, units: Decimal) -> None:
    """Count units that a run spent or may spend; fewer than none are given back."""
    if units:
        cursor.execute(sql.RESERVE, (millionths(units), run_id))


def millionths(units: Decimal) -> int:
    """Return units as a whole number that a database adds up exactly; rounded to the side of spending less.

    An answer may name any cost; what no column could hold becomes what is more than anybody's limit.
    """
    return int((min(units, _MOST) * _MILLION).to_integral_value(ROUND_CEILING))


def _give_back(cursor: Cursor, released: Iterable[tuple[int | None, Any]]) -> None:
    returned: dict[int, Decimal] = {}
    for run_id, estimate in released:
        if run_id is not None:
            returned[run_id] = returned.get(run_id, Decimal(0)) + Decimal(estimate)
    for run_id, units in returned.items():
        reserve(cursor, run_id, -units)
