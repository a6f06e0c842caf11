"""``callsavvy campaigns``: what became of sends that are written in a journal, and what to do about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import anyio
from cyclopts import App, Parameter

from callsavvy_async.campaigns import Campaign, CampaignRun, Journal, RunOptions
from callsavvy_async.cli.campaign_run import Reopening, is_url, run_options, send_durably, send_pending, url_of
from callsavvy_async.cli.campaign_watch import watch
from callsavvy_async.cli.client import client_options, open_client
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.ledger import lines_of_sums
from callsavvy_async.cli.options import DEFAULT_JOURNAL, STEADY, Deadline, JournalName, Pace, ReportFile
from callsavvy_async.cli.outputs import refuse_overwriting
from callsavvy_async.cli.stderr import ask, can_ask, tell
from callsavvy_async.cli.worker import work
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError

T = TypeVar("T")

_commands = App(name="campaigns", help="Look at, continue and settle sends that were begun with bulk --campaign.")


def register(app: App) -> None:
    """Add the commands."""
    for command in (work, watch):
        _commands.command(command)
    app.command(_commands)


@_commands.command(name="list")
def list_runs(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List all runs of a journal."""

    async def read() -> None:
        async with Journal.open(url_of(journal), read_only=True, patience=0) as opened:
            for report in await opened.campaigns():
                rehearsal = " (simulated)" if report.simulated else ""
                print(
                    f"{report.name}{rehearsal}: {report.given:,} given, {report.accepted:,} accepted, {report.unknown:,} unknown,"
                    f" {report.pending + report.in_flight:,} pending, cost {report.reported_cost}"
                )

    anyio.run(read)


@_commands.command
def show(name: str, /, *, journal: JournalName = DEFAULT_JOURNAL, json: bool = False) -> ExitCode:
    """Show the sums of a run. The exit code is that of the run as it stands."""
    report = _look(journal, name, lambda campaign: campaign.status())
    print(lines_of_sums(report, json=json))
    return code_of_report(report)


@_commands.command
def resume(
    name: str,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    resend: Literal["nothing", "not-sent", "unknown"] = "nothing",
    yes: bool = False,
    report: ReportFile | None = None,
    json: bool = False,
    deadline: Deadline = None,
    pace: Pace = STEADY,
) -> ExitCode | None:
    """Send what is pending.

    Args:
        name: The campaign.
        journal: The journal: a file, or postgresql://user@host/database.
        resend: Send again what is proved or declared not sent; or also what is unknown, at the risk that somebody gets
            it twice.
        yes: Send without asking.
        report: Write one row per recipient to this .csv, .jsonl or .parquet file.
        json: Print the result as one JSON object.
        deadline: Seconds after which nothing more is sent.
        pace: How fast, and how much.
    """
    refuse_overwriting({}, report=report, journal=journal)
    if not yes and not (can_ask() and ask(f"Send what is left of {name!r}?")):
        tell("callsavvy: nothing was sent. Say --yes where there is no terminal to ask at.")
        return ExitCode.REFUSED
    client = open_client(**client_options(pace))

    def again(campaign: Campaign, callsavvy: Callsavvy, options: RunOptions) -> CampaignRun:
        return campaign.resend_unknown(callsavvy, only_not_sent=resend == "not-sent", **options)

    send_durably(
        journal,
        Reopening(name),
        client,
        run_options(pace, deadline),
        report=report,
        json=json,
        start=send_pending if resend == "nothing" else again,
    )
    return None


@_commands.command
def unknown(name: str, /, *, journal: JournalName = DEFAULT_JOURNAL, numbers: bool = False) -> ExitCode:
    """List the requests of which nothing is known: perhaps done, perhaps charged.

    Args:
        name: The campaign.
        journal: The journal: a file, or postgresql://user@host/database.
        numbers: Show the phone numbers too.
    """
    chunks = _look(journal, name, lambda campaign: campaign.unknown())
    for chunk in chunks:
        print(
            f"call {chunk.number}: {len(chunk.recipients):,} recipients, about {chunk.estimate} units: {chunk.detail}"
        )
        for recipient in chunk.recipients if numbers else ():
            print(f"  {recipient.number}")
    return ExitCode.UNKNOWN if chunks else ExitCode.DONE


@_commands.command
def resolve(
    name: str,
    requests: tuple[int, ...] = (),
    /,
    *,
    sent: bool,
    restored: Annotated[bool, Parameter(negative="")] = False,
    journal: JournalName = DEFAULT_JOURNAL,
) -> None:
    """Say what became of unknown requests, by the numbers that `campaigns unknown` shows.

    Args:
        name: The campaign.
        requests: The requests.
        restored: All that are unknown because the journal is an older copy, instead of numbers.
        sent: --sent: they were; --no-sent: they were not, and `campaigns resume --resend not-sent` sends them.
        journal: The journal: a file, or postgresql://user@host/database.
    """
    if restored == bool(requests):
        raise InvalidRequestError(
            "give the numbers of the requests, or --restored for all that a copy of the journal left."
        )

    async def settle(campaign: Campaign) -> None:
        if restored:
            print(f"{await campaign.resolve_restored(as_sent=sent):,} requests resolved")
        for call in requests:
            await campaign.resolve(call, as_sent=sent)

    _act(journal, name, settle)


@_commands.command
def reconcile(name: str, /, *, journal: JournalName = DEFAULT_JOURNAL, exclusive: bool = False) -> ExitCode:
    """Find out by the account's balance which of the unknown requests were charged.

    Args:
        name: The campaign.
        journal: The journal: a file, or postgresql://user@host/database.
        exclusive: Nothing else spent on this account since the campaign began: act on what is found.
    """

    async def settle(campaign: Campaign) -> ExitCode:
        async with open_client() as callsavvy:
            found = await campaign.reconcile(callsavvy, exclusive=exclusive)
        print(f"balance before {found.balance_before}, now {found.balance_now}; known cost {found.known_cost}")
        print(f"charged: {_listed(found.charged)}; not charged: {_listed(found.not_charged)}")
        print(f"undecided: {_listed(found.undecided)}")
        if found.why:
            print(found.why)
        return ExitCode.DONE if found.acted else code_of_report(await campaign.status())

    return _act(journal, name, settle)


@_commands.command
def report(name: str, file: ReportFile, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Write one row per recipient to a .csv, .jsonl or .parquet file. It holds phone numbers."""
    refuse_overwriting({}, report=file, journal=journal)
    _look(journal, name, lambda campaign: campaign.export(file))


@_commands.command
def verify(name: str, /, *, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """Check the journal: the file, states, checksums, that nobody is in it twice, and the sums."""
    verification = _look(journal, name, lambda campaign: campaign.verify())
    for finding in verification.findings:
        print(finding)
    print(
        f"{verification.chunks:,} requests, {verification.recipients:,} recipients, {len(verification.findings)} findings"
    )
    return ExitCode.DONE if verification.sound else ExitCode.FAILED


@_commands.command
def backup(file: Path, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Write a copy of a journal in a file, as it is at this moment, to a new file. Runs may go on meanwhile.

    Args:
        file: The copy; it must not exist yet.
        journal: The journal.
    """

    async def copy() -> None:
        async with Journal.open(url_of(journal), read_only=True, patience=0) as opened:
            await opened.backup(file)

    anyio.run(copy)


@_commands.command
def purge(name: str, /, *, journal: JournalName = DEFAULT_JOURNAL, yes: bool = False) -> ExitCode:
    """Remove numbers and texts from the journal; the sums stay. What is pending will never be sent."""
    if not yes and not (can_ask() and ask(f"Remove the numbers and texts of {name!r} for ever?")):
        tell("callsavvy: nothing was removed. Say --yes where there is no terminal to ask at.")
        return ExitCode.REFUSED
    _act(journal, name, lambda campaign: campaign.purge())
    return ExitCode.DONE


def _look(journal: str, name: str, see: Callable[[Campaign], Awaitable[T]]) -> T:
    """Open a journal for reading, which is possible while another process writes it."""
    return _with_campaign(journal, name, see, read_only=True)


def _act(journal: str, name: str, do: Callable[[Campaign], Awaitable[T]]) -> T:
    return _with_campaign(journal, name, do, read_only=False)


def _with_campaign(journal: str, name: str, do: Callable[[Campaign], Awaitable[T]], *, read_only: bool) -> T:
    read_only = read_only or not (is_url(journal) or Path(journal).exists())  # a misspelt name makes no new file

    async def opened() -> T:
        async with Journal.open(url_of(journal), read_only=read_only, patience=0) as file:
            return await do(await file.campaign(name))

    return anyio.run(opened)


def _listed(requests: tuple[int, ...]) -> str:
    return ", ".join(map(str, requests)) or "none"
