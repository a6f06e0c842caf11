"""Commands to the workers of a campaign, from any process: give one, and wait until the workers obey."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from decimal import Decimal
from functools import partial

import anyio
import attrs

from callsavvy_async.bulk.options import SendSettings
from callsavvy_async.campaigns.journal import commands
from callsavvy_async.campaigns.journal.commands import Action, Command, WaitingWorker
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.processes import has_ended
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.jsonable import Jsonable
from callsavvy_async.policy.fixed import parse_rate

_BETWEEN_LOOKS = 0.1
"""Seconds between two looks at the acknowledgements."""
_PROBE_AFTER = 0.5
"""Seconds to wait for acknowledgements before asking the operating system which processes have ended. By then the server
has what a process wrote just before it was killed."""


@attrs.frozen
class Steered(Jsonable):
    """A command and what became of it.

    Attributes:
        campaign: name of the campaign.
        command: the command.
        workers: number of runs that are active and obey it.
        waiting: workers that have not acknowledged it.
        superseded_by: a later command that contradicts it, given meanwhile; or None.
    """

    campaign: str
    command: Command
    workers: int = 0
    waiting: tuple[WaitingWorker, ...] = ()
    superseded_by: Command | None = None

    @property
    def confirmed(self) -> bool:
        """True if every worker obeys. No request is in flight and none begins after a pause; all runs have ended after a stop."""
        return not self.waiting and self.superseded_by is None

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return {
            "name": self.campaign,
            **self.command.as_dict(),
            "confirmed": self.confirmed,
            "workers": self.workers,
            "waiting": [worker.as_dict() for worker in self.waiting],
            "superseded_by": None if self.superseded_by is None else self.superseded_by.as_dict(),
        }


async def give(
    writer: Writer,
    campaign: int,
    name: str,
    action: Action,
    *,
    author: str | None,
    limits: Mapping[str, str] | None = None,
) -> Steered:
    """Record a command. From then on it holds for each request that begins."""
    author = author or user_name()

    def record(cursor: Cursor) -> int:
        return commands.record(cursor, campaign, author, action, limits or {})

    number = await writer.run(lambda cursor: writer.database.steer(cursor, record), alone=True)
    given = await writer.run(lambda cursor: commands.history(cursor, campaign))
    return Steered(name, next(command for command in given if command.number == number))


async def confirm(writer: Writer, campaign: int, steered: Steered, *, wait: float) -> Steered:
    """Wait until every worker obeys a command, another command contradicts it, or the time is over."""
    began = anyio.current_time()
    while True:
        passed = anyio.current_time() - began
        probe = passed >= min(_PROBE_AFTER, wait)
        look = partial(_look, writer=writer, campaign=campaign, steered=steered, probe=probe)
        steered = await writer.run(look)
        if steered.confirmed or steered.superseded_by is not None or passed >= wait:
            return steered
        await anyio.sleep(_BETWEEN_LOOKS)


def checked_limits(*, rate: str | None, max_in_flight: int | None, max_cost: Decimal | int | None) -> Mapping[str, str]:
    """Return the given limits as text.

    Raises:
        InvalidRequestError: no limit is given.
        ConfigurationError: a limit is invalid.
    """
    limits: dict[str, str] = {}
    if rate is not None:
        parse_rate(rate)
        limits["rate"] = rate
    if max_in_flight is not None:
        limits["max_in_flight"] = str(SendSettings(max_in_flight=max_in_flight).max_in_flight)
    if max_cost is not None:
        limits["max_cost"] = f"{SendSettings(max_cost=max_cost).max_cost:f}"
    if not limits:
        raise InvalidRequestError("no limit is given; give a rate, max_in_flight or max_cost.")
    return limits


def _look(cursor: Cursor, writer: Writer, campaign: int, steered: Steered, *, probe: bool) -> Steered:
    command = steered.command
    found = commands.unacknowledged(cursor, campaign, command.number)
    abandoned = bool(found) and probe and writer.database.is_abandoned()
    waiting = tuple(worker for process, worker in found if not abandoned and not (probe and has_ended(process)))
    superseded_by = None
    if command.action is not Action.SET and commands.current(cursor, campaign).phase is not command.phase:
        later = (each for each in commands.history(cursor, campaign) if each.number > command.number)
        superseded_by = next(each for each in later if each.phase is not command.phase)
    workers = max(0, commands.alive(cursor, campaign) - len(found))
    return attrs.evolve(steered, waiting=waiting, superseded_by=superseded_by, workers=workers)


def user_name() -> str:
    """Return the name of the user and the host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a name for the user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
