"""What one command has done so far: its requests, the sums of its send, its receipt.

Every command that sends updates its activity as it runs, so the activity is right at any moment. `ending.py` derives the
last output and the exit code from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import attrs

from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.ledger import Comparison
from callsavvy_async.cli.output import Format, as_text
from callsavvy_async.errors import Outcome
from callsavvy_async.resources import endpoints
from callsavvy_async.transport.hooks import HookEvent, RequestSettled, RequestStarted
from callsavvy_async.wire.endpoint import Effect
from callsavvy_async.wire.model import Model

EFFECTS = {resource: row.effect for resource, row in endpoints().items()}
"""Effect of each resource. Treat a resource that is missing here as `Effect.SPEND`."""


@attrs.define
class Activity:
    """What one command has done.

    Attributes:
        settled: Requests that change or cost something, by outcome.
        in_flight: Requests of that kind that have started and not settled.
        sums: Live sums of the bulk send or campaign.
        exit_code: Maps the sums to an exit code.
        comparison: Comparison of the sums with the simulator's ledger.
        json: Print the sums as JSON.
        receipt: Formatted receipt of a single request.
        folder: Folder for the result if neither stdout nor stderr can be written.
    """

    settled: Counter[Outcome] = attrs.field(factory=Counter[Outcome])
    in_flight: int = 0
    sums: Sums | None = None
    exit_code: Callable[[Sums], ExitCode] = code_of_report
    comparison: Comparison | None = None
    json: bool = False
    receipt: str | None = None
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

    def follow(self, sums: Sums, *, json: bool, exit_code: Callable[[Sums], ExitCode] = code_of_report) -> None:
        """Print these sums when the command ends, however it ends."""
        self.sums, self.json, self.exit_code = sums, json, exit_code

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
def new_activity() -> Generator[Activity]:
    """Start the activity of a command."""
    fresh = Activity()
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)


def set_receipt(receipt: Model, output: Format) -> None:
    """Print this receipt when the command ends."""
    current_activity().receipt = as_text(receipt, output)
