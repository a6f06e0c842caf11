"""What one command has done so far: its requests, the sums of its send, its result.

Every command that sends updates its activity as it runs, so the activity is right at any moment. `ending.py` derives the
last output and the exit code from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence, Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.arguments import Format
from callsavvy_async.cli.document import document
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.ledger import Comparison
from callsavvy_async.cli.output import Result, listing, single
from callsavvy_async.cli.registry import CommandEntry
from callsavvy_async.cli.stderr import tell
from callsavvy_async.errors import Outcome
from callsavvy_async.resources import endpoints
from callsavvy_async.transport.hooks import HookEvent, RequestSettled, RequestStarted
from callsavvy_async.wire.endpoint import Effect
from callsavvy_async.wire.model import Model

if TYPE_CHECKING:
    from callsavvy_async.cli.notify import Notifier

EFFECTS = {resource: row.effect for resource, row in endpoints().items()}
"""Effect of each resource. Treat a resource that is missing here as `Effect.SPEND`."""


@attrs.frozen
class Way:
    """How a command prints its result.

    Attributes:
        command: The command.
        output: Format.
        columns: Columns of a list to show.
    """

    command: CommandEntry
    output: Format = "table"
    columns: tuple[str, ...] = ()


@attrs.define
class Activity:
    """What one command has done.

    Attributes:
        way: How the result is printed.
        settled: Requests that change or cost something, by outcome.
        in_flight: Requests of that kind that have started and not settled.
        sums: Live sums of the bulk send or campaign.
        exit_code: Maps the sums to an exit code.
        comparison: Comparison of the sums with the simulator's ledger.
        result: Result of a command without sums.
        options: Options of the command, without dashes.
        problem: Why the command refused, if no error says so.
        folder: Folder for the result if neither stdout nor stderr can be written.
        notifier: What the end of the command is reported to.
    """

    way: Way
    settled: Counter[Outcome] = attrs.field(factory=Counter[Outcome])
    in_flight: int = 0
    sums: Sums | None = None
    exit_code: Callable[[Sums], ExitCode] = code_of_report
    comparison: Comparison | None = None
    result: Result | None = None
    problem: str | None = None
    options: AbstractSet[str] = frozenset()
    notifier: Notifier | None = None
    _header: str = attrs.field(default="", init=False)
    folder: Path = attrs.field(factory=Path)

    def note(self, event: HookEvent) -> None:
        """Count a request. Pass this method to a client as a hook."""
        if not isinstance(event, RequestStarted | RequestSettled) or EFFECTS.get(event.endpoint) is Effect.READ:
            return
        if isinstance(event, RequestStarted):
            self.in_flight += 1
        else:
            self.in_flight -= 1
            self.settled[event.outcome] += 1

    def follow(self, sums: Sums, *, exit_code: Callable[[Sums], ExitCode] = code_of_report) -> None:
        """Print these sums when the command ends, however it ends."""
        self.sums, self.exit_code = sums, exit_code

    def emit(self, result: Result) -> None:
        """Print a result at once. For commands that print one after another until they are interrupted."""
        match self.way.output:
            case "json":
                print(document(self.way.command.words, None, result.data, None, lines=True), flush=True)
            case "csv":
                header, _, rows = result.as_csv().partition("\n")
                print(rows if header == self._header else f"{header}\n{rows}", flush=True)
                self._header = header
            case "table":
                print(result.as_text()[0], flush=True)

    @property
    def accepted(self) -> int:
        """Number of requests that the API accepted."""
        return self.settled[Outcome.ACCEPTED]

    @property
    def unknown(self) -> int:
        """Number of requests with an unknown outcome: perhaps done, perhaps charged."""
        return self.settled[Outcome.UNKNOWN] + self.in_flight

    @property
    def nothing_done(self) -> bool:
        """True if the API provably did nothing for this command."""
        return not (self.accepted or self.unknown)


_current: ContextVar[Activity] = ContextVar("callsavvy_activity")


def current_activity() -> Activity:
    """Return the activity of the running command."""
    return _current.get()


@contextmanager
def new_activity(way: Way) -> Generator[Activity]:
    """Start the activity of a command."""
    fresh = Activity(way)
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)


def show(result: Result) -> None:
    """Print this result when the command ends, however it ends."""
    current_activity().result = result


def show_rows(rows: Sequence[Model], model: type[Model]) -> None:
    """Print a list when the command ends."""
    show(listing(rows, model))


def show_one(item: Model) -> None:
    """Print a single item or a receipt when the command ends."""
    show(single(item))


def refuse(why: str, code: ExitCode = ExitCode.REFUSED) -> ExitCode:
    """Say why the command does nothing, and return its exit code."""
    tell(f"callsavvy: {why}")
    current_activity().problem = why
    return code
