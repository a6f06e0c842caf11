"""``callsavvy campaigns pause|continue|stop|set``: commands to the workers of a campaign, from any terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import Action, Command, Journal, Steered, WaitingWorker
from callsavvy_async.cli.activity import show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.hints import hint
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, url_of
from callsavvy_async.cli.options import CampaignName, JournalName, Rate, Units
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import tell

_SILENT = 1.0
"""Seconds to wait before the names of the workers that have not answered are shown."""
Wait = Annotated[float, Parameter(validator=Number(gte=0), help="Seconds to wait until every worker obeys.")]


def pause(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL, wait: Wait = 60.0) -> ExitCode:
    """Pause a campaign in all processes that send it, until campaigns continue.

    No request begins once the command is recorded; requests in flight finish. Exit codes: 0 confirmed: none is in flight
    either; 1 a worker has not answered within --wait.
    """
    return _steer(journal, lambda opened: opened.pause(name, wait=min(wait, _SILENT)), wait)


def go_on(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL, wait: Wait = 60.0) -> ExitCode:
    """Continue a campaign after campaigns pause or stop. After a stop, start its workers again."""
    return _steer(journal, lambda opened: opened.go_on(name, wait=min(wait, _SILENT)), wait)


def stop(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL, wait: Wait = 60.0) -> ExitCode:
    """Stop a campaign: its workers end after their requests in flight, and later ones end at once.

    The rest stays pending. Afterwards: campaigns continue, then campaigns resume.
    """
    return _steer(journal, lambda opened: opened.stop(name, wait=min(wait, _SILENT)), wait)


def set_limits(
    name: CampaignName,
    /,
    *,
    rate: Rate = None,
    max_in_flight: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    max_cost: Units | None = None,
    journal: JournalName = DEFAULT_JOURNAL,
    wait: Wait = 60.0,
) -> ExitCode:
    """Change the limits of a campaign in all processes that send it, also in later ones.

    Args:
        name: The campaign.
        rate: Maximum request rate of the whole campaign, e.g. 10/s or 600/min. A worker's own --rate holds too.
        max_in_flight: Maximum concurrent requests of each worker, up to its own --max-in-flight.
        max_cost: Maximum units that the campaign may spend. A worker that starts later with a lower --max-cost keeps
            that.
        journal: Journal file or URL.
        wait: Seconds to wait until every worker obeys.
    """

    async def give(opened: Journal) -> Steered:
        return await opened.set_limits(
            name, rate=rate, max_in_flight=max_in_flight, max_cost=max_cost, wait=min(wait, _SILENT)
        )

    return _steer(journal, give, wait)


def lines_of_commands(commands: tuple[Command, ...]) -> Iterator[str]:
    """Yield a line for each command."""
    for command in commands:
        what = " ".join([command.action, *(f"{name}={value}" for name, value in command.limits.items())])
        yield f"  {format_clock(command.at)} {command.author}: {what}"


def _steer(journal: str, give: Callable[[Journal], Awaitable[Steered]], wait: float) -> ExitCode:
    """Give a command, show for whom it waits, and print what became of it."""

    async def steer() -> Steered:
        async with Journal.open(url_of(journal), read_only=True, patience=0) as opened:
            steered = await give(opened)
            if steered.confirmed or steered.superseded_by is not None or wait <= _SILENT:
                return steered
            for worker in steered.waiting:
                tell(f"waiting for {_state_of(worker)}")
            return await opened.confirm(steered, wait=wait - _SILENT)

    steered = anyio.run(steer)
    show(Result(steered.as_dict(), "\n".join(lines_of_steered(steered, journal))))
    return ExitCode.DONE if steered.confirmed else ExitCode.FAILED


def lines_of_steered(steered: Steered, journal: str) -> Iterator[str]:
    """Yield lines about a command, what became of it, and what to do next.

    Args:
        steered: The command.
        journal: File or URL of the journal.
    """
    name, command, later = steered.campaign, steered.command, steered.superseded_by
    if later is not None:
        yield f"{name}: not confirmed, because {later.author} gave another command meanwhile: {later.action}."
    elif steered.waiting:
        yield f"{name}: the {command.action} command is recorded, but not confirmed by every worker."
        for worker in steered.waiting:
            yield f"  no answer from {_state_of(worker)}"
    else:
        yield f"{name}: {_RESULTS[command.action]}"
        yield f"  {steered.workers:,} active worker{'' if steered.workers == 1 else 's'}"
    if later is None and command.action in {Action.PAUSE, Action.STOP}:
        yield f"  Continue with: {hint('campaigns continue', name, journal=journal)}"
    if command.action is Action.CONTINUE and not steered.workers and not steered.waiting:
        yield f"  Send the rest with: {hint('campaigns resume', name, journal=journal)}"


_RESULTS = {
    Action.PAUSE: "paused. No request is in flight, and none begins.",
    Action.STOP: "stopped. No request is in flight, and none begins.",
    Action.CONTINUE: "continued.",
    Action.SET: "the new limits hold.",
}


def _state_of(worker: WaitingWorker) -> str:
    busy = f" (requests in flight: {worker.in_flight:,})" if worker.in_flight else ""
    until = (
        "" if worker.until is None else f"; without a heartbeat it starts no request after {format_clock(worker.until)}"
    )
    return f"{worker.name}{busy}{until}"


def format_clock(at: float) -> str:
    """Format seconds since 1970 as local time."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S %z}"
