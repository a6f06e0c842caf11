"""``callsavvy outbox``: create the outbox's table, send what is in it, and see what failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeAlias, TypeVar

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.cli.activity import show as show_result
from callsavvy_async.cli.client import open_sender
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, url_of
from callsavvy_async.cli.options import DEFAULT_PACE, JournalName, Pace
from callsavvy_async.cli.output import Result
from callsavvy_async.outbox import OutboxReport, OutboxWorker, migration
from callsavvy_async.outbox.table import FAILED, OutboxTable
from callsavvy_async.outbox.user_file import UserFile
from callsavvy_async.outbox.worker import table_of
from callsavvy_async.wording import quantity

T = TypeVar("T")

Database: TypeAlias = Annotated[
    str | None, Parameter(name="--outbox", help="Your SQLite file with the outbox. PostgreSQL: leave it out.")
]


def sql(dialect: Literal["postgresql", "sqlite"] = "postgresql", /) -> None:
    """Print the migration that creates the outbox's table.

    Args:
        dialect: Database: postgresql or sqlite.
    """
    statements = migration(dialect)
    show_result(Result({"sql": statements}, statements.removesuffix("\n")))


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
    client = open_sender(pace, journal=url_of(journal))

    async def send() -> OutboxReport:
        async with client as callsavvy:
            worker = OutboxWorker(callsavvy, _url(outbox), forever=not until_empty, poll=poll)
            with stopping_on_signals(worker):
                return await worker.work()

    report = anyio.run(send)
    text = f"{report.sent:,} sent, {report.failed:,} failed, {report.unknown:,} unknown"
    show_result(Result({"sent": report.sent, "failed": report.failed, "unknown": report.unknown}, text))
    if report.unknown:
        return ExitCode.UNKNOWN
    return ExitCode.FAILED if report.failed else ExitCode.DONE


def show(*, journal: JournalName = DEFAULT_JOURNAL, outbox: Database = None) -> ExitCode:
    """Print how many messages wait, and the key and reason of each that failed. Exit code 1 if any failed."""

    async def read(table: OutboxTable) -> ExitCode:
        counts = await table.count()
        states = {state: counts.get(state, 0) for state in ("pending", "failed", "unknown")}
        failures = [{"key": row.key, "detail": row.detail} for row in await table.failed()]
        lines = [", ".join(f"{count:,} {state}" for state, count in states.items())]
        lines += [f"{one['key']}: {one['detail']}" for one in failures]
        show_result(Result({**states, "failures": failures}, "\n".join(lines)))
        return ExitCode.FAILED if counts.get(FAILED) else ExitCode.DONE

    return _with_table(journal, outbox, read)


def retry(*, journal: JournalName = DEFAULT_JOURNAL, outbox: Database = None) -> None:
    """Send the messages that failed once more, after you have removed the cause."""
    count = _with_table(journal, outbox, lambda table: table.reopen(FAILED))
    show_result(Result({"messages": count}, f"{quantity(count, 'message')} pending again"))


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
