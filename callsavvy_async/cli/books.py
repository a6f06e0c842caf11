"""What a command has done so far, whatever becomes of the command: the requests that left, the sums, the receipt.

Everything that sends writes to the books while it goes on, so that they are right at any moment: `ending.py` takes from
them what is said in the end, and the exit code.
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
from callsavvy_async.resources import account, calls, chats, contacts, meetings, messaging, sends, tickets
from callsavvy_async.transport.hooks import HookEvent, RequestSettled, RequestStarted
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model

EFFECTS = {
    row.resource: row.effect
    for module in (account, calls, chats, contacts, meetings, messaging, sends, tickets)
    for row in vars(module).values()
    if isinstance(row, Endpoint)
}
"""What each resource does to the world; one that this release does not know may do anything."""


@attrs.define
class Books:
    """What one command has done.

    Attributes:
        settled: requests that change or cost something, by their outcome.
        under_way: such requests that began and did not settle.
        sums: of the run, which counts on while it goes on.
        judge: says which exit code these sums mean.
        comparison: of the sums with a simulator's ledger.
        json: whether the sums are asked for as JSON.
        receipt: of a single request, as it is shown.
        folder: where a result is written to that nothing else takes.
    """

    settled: Counter[Outcome] = attrs.field(factory=Counter[Outcome])
    under_way: int = 0
    sums: Sums | None = None
    judge: Callable[[Sums], ExitCode] = code_of_report
    comparison: Comparison | None = None
    json: bool = False
    receipt: str | None = None
    folder: Path = attrs.field(factory=Path)

    def note(self, event: HookEvent) -> None:
        """Count a request; a client's hook."""
        if not isinstance(event, RequestStarted | RequestSettled) or EFFECTS.get(event.endpoint) is Effect.READ:
            return
        if isinstance(event, RequestStarted):
            self.under_way += 1
        else:
            self.under_way -= 1
            self.settled[event.outcome] += 1

    def follow(self, sums: Sums, *, json: bool, judge: Callable[[Sums], ExitCode] = code_of_report) -> None:
        """Let these sums be what the command has done; they are shown when it ends, however it ends."""
        self.sums, self.json, self.judge = sums, json, judge

    @property
    def accepted(self) -> int:
        """Requests that the API took."""
        return self.settled[Outcome.ACCEPTED]

    @property
    def unknown(self) -> int:
        """Requests of which nothing is known: perhaps done, perhaps charged."""
        return self.settled[Outcome.UNKNOWN] + self.under_way

    @property
    def nothing_left(self) -> bool:
        """Whether it is certain that nothing was done, here or at the API."""
        return not (self.accepted or self.unknown)


_current: ContextVar[Books] = ContextVar("callsavvy_books")


def books() -> Books:
    """Return those of the command that runs."""
    return _current.get()


@contextmanager
def opened_books() -> Generator[Books]:
    """Open the books of a command."""
    fresh = Books()
    token = _current.set(fresh)
    try:
        yield fresh
    finally:
        _current.reset(token)


def receive(receipt: Model, output: Format) -> None:
    """Let this be what the command has done; it is shown when the command ends."""
    books().receipt = as_text(receipt, output)
