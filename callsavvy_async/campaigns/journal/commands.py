"""Commands to the workers of a campaign: pause, continue, stop and limits.

Theory:

1. Log. A command is a row that never changes. It holds the phase and the limits that follow from it. So the last row says
   what holds now, and all rows say who commanded what and when.
2. Obedience. The statement that puts a chunk in flight reads the last command. So no request begins after a pause is
   committed, in any process.
3. Acknowledgement. A chunk that went in flight before the pause may have sent nothing yet. So a run acknowledges a pause
   only while it has no chunk in flight, and one statement checks and records that. It acknowledges a stop by its end.
4. Confirmation. A pause is confirmed once each run has acknowledged it, has ended, or has outlived its lease or its process;
   see `processes.py`. A run whose lease has ended sends nothing; see `journal_sink.py`. Only a process that is suspended
   between that look at its lease and the first byte, for longer than the lease, can still send: the API knows no fence.

PostgreSQL keeps the commands among the journal's tables. SQLite keeps them in a file beside it; see `sqlite_control.py`.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import attrs

from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns.journal import repository, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.states import Actor, State
from callsavvy_async.jsonable import Jsonable

N = TypeVar("N", int, Decimal)

TABLES = (
    """CREATE TABLE IF NOT EXISTS command (
        campaign BIGINT NOT NULL, number BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL, author TEXT NOT NULL,
        action TEXT NOT NULL, phase TEXT NOT NULL, limits TEXT NOT NULL, PRIMARY KEY (campaign, number))""",
)
"""``limits`` is JSON: for each limit its value, and the number of the command that set it."""

_LOCK = "SELECT 1 /*!, pg_advisory_xact_lock(hashtext('callsavvy command'), hashtext(current_schema())) */"
_LAST = "SELECT number, phase, limits FROM command WHERE campaign = ? ORDER BY number DESC LIMIT 1"
_INSERT = "INSERT INTO command (campaign, number, at, author, action, phase, limits) VALUES (?, ?, clock(), ?, ?, ?, ?)"
_ALL = "SELECT number, at, author, action, phase, limits FROM command WHERE campaign = ? ORDER BY number"
_ALIVE = "campaign = ? AND ended IS NULL AND (lease IS NULL OR heartbeat + lease >= clock())"
_COUNT_ALIVE = f"SELECT count(*) FROM run WHERE {_ALIVE}"  # noqa: S608 - a constant
_UNACKNOWLEDGED = f"""SELECT process, worker, heartbeat + lease, (SELECT count(*) FROM chunk
        WHERE chunk.campaign = run.campaign AND chunk.run = run.id AND state = ?)
    FROM run WHERE {_ALIVE} AND acknowledged < ? ORDER BY id"""  # noqa: S608 - a constant
_ACKNOWLEDGE = "UPDATE run SET acknowledged = ? WHERE id = ?"
_UNLESS_IN_FLIGHT = (
    " AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.campaign = ? AND state = ? AND chunk.run = run.id)"
)
_DEPART = f"""UPDATE chunk SET state = ?, request_id = ?, at = clock()
    WHERE campaign = ? AND number = ? AND coalesce(state, '') = ? AND run = ?
    AND coalesce((SELECT phase FROM command WHERE campaign = ? ORDER BY number DESC LIMIT 1), ?) = ?
    RETURNING ({sql.IS_INDEXED})"""  # noqa: S608 - a constant
"""For ``coalesce(state, '')`` see `sql.py`."""


class Phase(enum.StrEnum):
    """What the last command lets the workers of a campaign do."""

    SENDING = "sending"
    PAUSED = "paused"
    """Runs wait and start no request."""
    STOPPED = "stopped"
    """Runs end, and later ones end at once."""


class Departure(enum.Enum):
    """What became of a chunk that was to go in flight."""

    ALLOWED = "it is in flight"
    INDEXED = "it is in flight, and the journal indexes whom it reaches"
    FORBIDDEN = "a command forbids it"
    TOO_SOON = "another campaign reached one of its recipients meanwhile"


class Action(enum.StrEnum):
    """What a command does."""

    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    SET = "set"


_CANARY = "canary"
PASSED, HELD, ENOUGH, FAILED = "passed", "held", "enough", "failed"
"""Outcomes of a canary. The command that ends it records one, a colon and the numbers."""
_STOP_REASONS = {ENOUGH: StopReason.LIMIT, FAILED: StopReason.CANARY}
_PHASE_AFTER = {Action.PAUSE: Phase.PAUSED, Action.CONTINUE: Phase.SENDING, Action.STOP: Phase.STOPPED}


@attrs.frozen
class Command(Jsonable):
    """A command, as the journal records it.

    Attributes:
        number: its number in the campaign, from 1.
        at: time in seconds since 1970, on the journal's clock.
        author: who gave it, such as ``"ada@web-3"``.
        action: ``"pause"``, ``"continue"``, ``"stop"`` or ``"set"``.
        phase: what the workers do after it: ``"sending"``, ``"paused"`` or ``"stopped"``.
        limits: the limits that it set.
    """

    number: int
    at: float
    author: str
    action: Action
    phase: Phase
    limits: Mapping[str, str]

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return attrs.asdict(self)


@attrs.frozen
class SetLimit:
    """A limit that a command set."""

    value: str
    since: int
    """Number of the command."""


@attrs.frozen
class Orders:
    """What all commands of a campaign so far amount to."""

    number: int = 0
    """Number of the last command; 0 if there is none."""
    phase: Phase = Phase.SENDING
    limits: Mapping[str, SetLimit] = attrs.field(factory=dict[str, SetLimit])

    @property
    def rate(self) -> str | None:
        """Rate of the campaign, such as ``"10/s"``."""
        limit = self.limits.get("rate")
        return None if limit is None else limit.value

    @property
    def canary_over(self) -> bool:
        """True if the canary was sent and judged, so that its campaign is not confined to it."""
        return _CANARY in self.limits

    @property
    def stop_reason(self) -> StopReason:
        """Reason of a stop: a person's command, or the end of the canary."""
        canary = self.limits.get(_CANARY)
        if canary is None or canary.since != self.number:
            return StopReason.COMMAND
        return _STOP_REASONS.get(canary.value.partition(":")[0], StopReason.COMMAND)

    def max_in_flight(self, own: int, given_at: int) -> int:
        """Return the most requests in flight for a run with its own option; see `_latest`."""
        return self._latest("max_in_flight", int, own, given_at) or own

    def max_cost(self, own: Decimal | None, given_at: int) -> Decimal | None:
        """Return the most units to spend for a run with its own option; see `_latest`."""
        return self._latest("max_cost", Decimal, own, given_at)

    def _latest(self, name: str, read: type[N], own: N | None, given_at: int) -> N | None:
        """Return the limit that counts for a run.

        A command replaces the option of a process that runs already. The option of a process that starts later, perhaps
        restarted by a supervisor, may only lower the limit.

        Args:
            name: name of the limit.
            read: its type.
            own: the run's own option.
            given_at: number of the last command when the process started.
        """
        limit = self.limits.get(name)
        if limit is None:
            return own
        value = read(limit.value)
        return value if own is None or limit.since > given_at else min(own, value)


@attrs.frozen
class WaitingWorker(Jsonable):
    """A worker that has not acknowledged a command.

    Attributes:
        name: host and process, such as ``"web-3:4711"``.
        in_flight: number of its requests in flight, whose responses it awaits.
        until: end of its lease in seconds since 1970, unless it writes another heartbeat. It starts no request after that.
            None in SQLite, where a worker counts until its process ends.
    """

    name: str
    in_flight: int
    until: float | None

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return attrs.asdict(self)


def record(cursor: Cursor, campaign: int, author: str, action: Action, limits: Mapping[str, str]) -> int:
    """Record a command, and return its number. Use a transaction of `Database.steer`."""
    cursor.execute(_LOCK).fetchone()
    before = current(cursor, campaign)
    number = before.number + 1
    changed = {**before.limits, **{name: SetLimit(value, number) for name, value in limits.items()}}
    stored = json.dumps({name: attrs.astuple(limit) for name, limit in changed.items()})
    phase = _PHASE_AFTER.get(action, before.phase)
    cursor.execute(_INSERT, (campaign, number, author, action, phase, stored))
    return number


def conclude_canary(cursor: Cursor, campaign: int, author: str, action: Action, outcome: str) -> None:
    """Record a command that ends the canary, unless another run did. Use a transaction of `Database.steer`."""
    cursor.execute(_LOCK).fetchone()
    if not current(cursor, campaign).canary_over:
        record(cursor, campaign, author, action, {_CANARY: outcome})


def current(cursor: Cursor, campaign: int) -> Orders:
    """Return what the commands so far amount to."""
    found = cursor.execute(_LAST, (campaign,)).fetchall()
    if not found:
        return Orders()
    ((number, phase, limits),) = found
    return Orders(number, Phase(phase), _read_limits(limits))


def history(cursor: Cursor, campaign: int) -> tuple[Command, ...]:
    """Return every command of a campaign, the oldest first."""
    return tuple(
        Command(
            number,
            at,
            author,
            Action(action),
            Phase(phase),
            {name: limit.value for name, limit in _read_limits(limits).items() if limit.since == number},
        )
        for number, at, author, action, phase, limits in cursor.execute(_ALL, (campaign,)).fetchall()
    )


def alive(cursor: Cursor, campaign: int) -> int:
    """Return the number of runs that have not ended and whose lease has not expired."""
    return int(cursor.execute(_COUNT_ALIVE, (campaign,)).fetchone()[0])


def acknowledge(cursor: Cursor, campaign: int, run_id: int, orders: Orders) -> bool:
    """Record that a run obeys. Return False if it should send nothing, but still has requests in flight."""
    values = (orders.number, run_id)
    if orders.phase is Phase.SENDING:
        cursor.execute(_ACKNOWLEDGE, values)
    else:
        cursor.execute(_ACKNOWLEDGE + _UNLESS_IN_FLIGHT, (*values, campaign, State.IN_FLIGHT))
    return cursor.rowcount == 1


def unacknowledged(cursor: Cursor, campaign: int, number: int) -> list[tuple[str, WaitingWorker]]:
    """Return the live runs that have not acknowledged a command, each with its process; see `processes.py`."""
    rows = cursor.execute(_UNACKNOWLEDGED, (State.IN_FLIGHT, campaign, number)).fetchall()
    return [(process, WaitingWorker(name, in_flight, until)) for process, name, until, in_flight in rows]


def depart(cursor: Cursor, campaign: int, number: int, run_id: int, request_id: str) -> Departure:
    """Put a claimed chunk in flight, unless a command forbids it.

    Args:
        cursor: cursor of the journal.
        campaign: number of the campaign.
        number: number of the chunk.
        run_id: number of the run that claimed it.
        request_id: identifier of its request.

    Raises:
        ChunkLostError: the chunk belongs to another run.
    """
    where = (campaign, number, State.CLAIMED, run_id, campaign, Phase.SENDING, Phase.SENDING)
    departed = cursor.execute(_DEPART, (State.IN_FLIGHT, request_id, *where)).fetchall()
    if not departed:
        if current(cursor, campaign).phase is not Phase.SENDING:
            return Departure.FORBIDDEN
        repository.move(cursor, campaign, number, ChunkUpdate(State.IN_FLIGHT), by=Actor.OWNER, run_id=run_id)
        departed = cursor.execute(f"SELECT ({sql.IS_INDEXED})").fetchall()
    return Departure.ALLOWED if departed[0][0] is None else Departure.INDEXED


def _read_limits(text: str) -> Mapping[str, SetLimit]:
    return {name: SetLimit(*values) for name, values in json.loads(text).items()}
