"""``callsavvy outbox``: create the outbox's table, send what is in it, and see what failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeAlias, TypeVar

import anyio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.cli.campaign_run import url_of
from callsavvy_async.cli.client import client_options, open_client
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.options import DEFAULT_JOURNAL, DEFAULT_PACE, JournalName, Pace
from callsavvy_async.outbox import OutboxReport, OutboxWorker, migration
from callsavvy_async.outbox.table import FAILED, OutboxTable
from callsavvy_async.outbox.user_file import UserFile
from callsavvy_async.outbox.worker import table_of
from callsavvy_async.wording import quantity

T = TypeVar("T")

Database: TypeAlias = Annotated[
    str | None, Parameter(name="--outbox", help="Your SQLite file with the outbox. PostgreSQL: leave it out.")
]

_commands = App(name="outbox", help="Send the messages that your own transactions left in the table callsavvy_outbox.")


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def sql(dialect: Literal["postgresql", "sqlite"] = "postgresql", /) -> None:
    """Print the migration that creates the outbox's table.

    Args:
        dialect: Database: postgresql or sqlite.
    """
    print(migration(dialect), end="")


@_commands.command
def work(
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    outbox: Database = None,
    until_empty: Annotated[bool, Parameter(negative="")] = False,
    poll: Annotated[float, Parameter(validator=Number(gt=0))] = 2.0,
    pace: Pace = DEFAULT_PACE,
) -> ExitCode:
    """Send what the outbox holds, and wait for more. Any number of workers may send from PostgreSQL, one from a file.

    SIGTERM or Ctrl-C stops sending and waits for requests in flight; a second one stops waiting. Exit codes: 0 stopped or
    empty, 1 some messages failed, 3 some outcomes are unknown (see keys unknown), 4 no balance, 5 invalid keys.

    Args:
        journal: Journal file or URL. For an outbox in PostgreSQL, the URL of its database.
        outbox: Your SQLite file with the outbox.
        until_empty: End when the outbox is empty.
        poll: Seconds between two looks at the outbox.
        pace: Rate limits.
    """
    options = client_options(pace)
    options["journal"] = url_of(journal)

    async def send() -> OutboxReport:
        async with open_client(**options) as callsavvy:
            worker = OutboxWorker(callsavvy, _url(outbox), forever=not until_empty, poll=poll)
            with stopping_on_signals(worker):
                return await worker.work()

    report = anyio.run(send)
    print(f"{report.sent:,} sent, {report.failed:,} failed, {report.unknown:,} unknown")
    if report.unknown:
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if report.failed else ExitCode.DONE


@_commands.command
def show(*, journal: JournalName = DEFAULT_JOURNAL, outbox: Database = None) -> ExitCode:
    """Print how many messages wait, and the key and reason of each that failed. Exit code 1 if any failed."""

    async def read(table: OutboxTable) -> ExitCode:
        counts = await table.count()
        print(", ".join(f"{counts.get(state, 0):,} {state}" for state in ("pending", "failed", "unknown")))
        for row in await table.failed():
            print(f"{row.key}: {row.detail}")
        return ExitCode.FAILED if counts.get(FAILED) else ExitCode.DONE

    return _with_table(journal, outbox, read)


@_commands.command
def retry(*, journal: JournalName = DEFAULT_JOURNAL, outbox: Database = None) -> None:
    """Send the messages that failed once more, after you have removed the cause."""
    count = _with_table(journal, outbox, lambda table: table.reopen(FAILED))
    print(f"{quantity(count, 'message')} pending again")


def _url(outbox: str | None) -> str | None:
    return None if outbox is None else url_of(outbox)


def _with_table(journal: str, outbox: str | None, do: Callable[[OutboxTable], Awaitable[T]]) -> T:
    """Open the outbox, and run `do` with it. A file needs no journal, which its worker has open."""

    async def in_postgresql() -> T:
        async with Journal.open(url_of(journal), patience=0) as opened:
            return await do(table_of(opened.keys, None, 0)[0])

    async def in_file() -> T:
        writer = Writer(UserFile(url_of(outbox or "")))
        await writer.open()
        try:
            return await do(OutboxTable(writer, 0))
        finally:
            await writer.close()

    return anyio.run(in_postgresql if outbox is None else in_file)
