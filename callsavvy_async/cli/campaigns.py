"""``callsavvy campaigns``: inspect, continue and settle campaigns in a journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import App, Parameter

from callsavvy_async.campaigns import Campaign, CampaignReport, CampaignRun, Command, Journal, RunOptions
from callsavvy_async.campaigns.remaining import Resend
from callsavvy_async.cli import campaign_steering
from callsavvy_async.cli.campaign_run import Reopening, send_campaign, send_pending
from callsavvy_async.cli.campaign_watch import watch
from callsavvy_async.cli.client import client_options, open_client
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.ledger import lines_of_sums
from callsavvy_async.cli.options import (
    DEFAULT_PACE,
    AsJson,
    CampaignName,
    Deadline,
    JournalName,
    Pace,
    ReportFile,
)
from callsavvy_async.cli.output import as_json
from callsavvy_async.cli.overwriting import refuse_overwriting
from callsavvy_async.cli.record import Record
from callsavvy_async.cli.rest import Rest
from callsavvy_async.cli.stderr import ask, can_ask, tell
from callsavvy_async.cli.worker import work
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.wording import quantity

T = TypeVar("T")

_commands: App = App(name="campaigns", help="Inspect, steer, continue and settle campaigns (each bulk send is one).")


def register(app: App) -> None:
    """Add the commands."""
    for command in (work, watch):
        _commands.command(command)
    campaign_steering.register(_commands)
    app.command(_commands)


@_commands.command(name="list")
def list_campaigns(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List the campaigns of a journal."""
    for report in with_journal(journal, lambda opened: opened.campaigns()):
        simulated = " (simulated)" if report.simulated else ""
        print(
            f"{report.name}{simulated}: {report.given:,} given, {report.accepted:,} accepted, {report.unknown:,} unknown,"
            f" {report.pending + report.in_flight:,} pending, cost {report.reported_cost}"
        )


@_commands.command
def show(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL, json: AsJson = False) -> ExitCode:
    """Show the sums of a campaign, and the commands that it got. The exit code reflects its current state."""

    async def read(opened: Journal) -> tuple[CampaignReport, tuple[Command, ...]]:
        return await (await opened.campaign(name)).status(), await opened.commands(name)

    report, given = with_journal(journal, read)
    if json:
        print(as_json({**report.as_dict(), "commands": [command.as_dict() for command in given]}))
    else:
        print("\n".join([lines_of_sums(report, json=False), *campaign_steering.lines_of_commands(given)]))
    return code_of_report(report)


@_commands.command
def resume(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    resend: Resend = "nothing",
    yes: bool = False,
    report: ReportFile | None = None,
    json: AsJson = False,
    deadline: Deadline = None,
    pace: Pace = DEFAULT_PACE,
) -> ExitCode | None:
    """Send the pending requests of a campaign.

    Args:
        name: The campaign.
        journal: Journal file or URL.
        resend: Requests to send again. "not-sent": those proved or declared not sent; "unknown": also unknown ones,
            which may reach and charge recipients twice.
        yes: Send without asking.
        report: Write one row per recipient to this .csv, .jsonl or .parquet file.
        json: Print the result as one JSON object.
        deadline: Seconds after which no more requests start.
        pace: Rate and cost limits.
    """
    refuse_overwriting({}, report=report, journal=journal)
    if not (yes or can_ask()):
        tell("callsavvy: nothing was sent: without a terminal, resume needs --yes.")
        return ExitCode.REFUSED
    client = open_client(**client_options(pace))
    rest = _read(journal, name, lambda campaign: Rest.of(campaign, resend))
    refusal = rest.question(client, rate=pace.rate).refusal(asking=not yes)
    if refusal is not None:
        return refusal

    def again(campaign: Campaign, callsavvy: Callsavvy, options: RunOptions) -> CampaignRun:
        return campaign.resend_unknown(callsavvy, only_not_sent=resend == "not-sent", **options)

    send_campaign(
        Record(journal=journal, name=name, pace=pace),
        Reopening(name),
        client,
        deadline,
        report=report,
        json=json,
        start=send_pending if resend == "nothing" else again,
    )
    return None


@_commands.command
def unknown(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    numbers: Annotated[bool, Parameter(help="Show the phone numbers too.")] = False,
) -> ExitCode:
    """List the unknown requests of a campaign: perhaps done, perhaps charged."""
    chunks = _read(journal, name, lambda campaign: campaign.unknown())
    for chunk in chunks:
        print(
            f"request {chunk.number}: {quantity(len(chunk.recipients), 'recipient')},"
            f" about {quantity(chunk.estimate, 'unit')}: {chunk.detail} (id {chunk.request_id})"
        )
        for recipient in chunk.recipients if numbers else ():
            print(f"  {recipient.number}")
    return ExitCode.UNKNOWN if chunks else ExitCode.DONE


@_commands.command
def resolve(
    name: CampaignName,
    requests: tuple[int, ...] = (),
    /,
    *,
    sent: bool,
    restored: Annotated[bool, Parameter(negative="")] = False,
    journal: JournalName = DEFAULT_JOURNAL,
) -> None:
    """Declare unknown requests sent or not sent.

    Args:
        name: The campaign.
        requests: Numbers of the requests, as `campaigns unknown` shows them.
        restored: All requests that are unknown because the journal was restored from a copy. Replaces the numbers.
        sent: Whether they were sent. After --no-sent, `campaigns resume --resend not-sent` sends them again.
        journal: Journal file or URL.
    """
    if restored == bool(requests):
        raise InvalidRequestError(
            "give either the numbers of the requests, or --restored for all that a restored journal left unknown."
        )

    async def settle(campaign: Campaign) -> None:
        if restored:
            print(f"{quantity(await campaign.resolve_restored(as_sent=sent), 'request')} resolved")
        for number in requests:
            await campaign.resolve(number, as_sent=sent)

    _change(journal, name, settle)


@_commands.command
def reconcile(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL, exclusive: bool = False) -> ExitCode:
    """Determine from the account's balance which unknown requests were charged.

    Args:
        name: The campaign.
        journal: Journal file or URL.
        exclusive: Record the findings. Use it only if no other spending happened on the account since the campaign
            began.
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

    return _change(journal, name, settle)


@_commands.command
def report(name: CampaignName, file: ReportFile, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Write one row per recipient to a .csv, .jsonl or .parquet file. The file contains phone numbers."""
    refuse_overwriting({}, report=file, journal=journal)
    _read(journal, name, lambda campaign: campaign.export(file))


@_commands.command
def verify(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """Check the journal of a campaign: file, states, checksums, duplicates and sums."""
    verification = _read(journal, name, lambda campaign: campaign.verify())
    for finding in verification.findings:
        print(finding)
    print(
        f"{quantity(verification.chunks, 'request')}, {quantity(verification.recipients, 'recipient')},"
        f" {quantity(len(verification.findings), 'finding')}"
    )
    return ExitCode.DONE if verification.sound else ExitCode.FAILED


@_commands.command
def backup(file: Path, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Copy a journal file to a new file, even while its campaigns run.

    Args:
        file: The copy; must not exist yet.
        journal: Journal file.
    """
    with_journal(journal, lambda opened: opened.backup(file))


@_commands.command
def purge(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    yes: Annotated[bool, Parameter(help="Remove without asking.")] = False,
) -> ExitCode:
    """Remove the numbers and texts of a campaign from the journal. Its sums stay; pending requests are never sent."""
    if not yes and not (can_ask() and ask(f"Permanently remove the numbers and texts of campaign {name!r}?")):
        tell("callsavvy: nothing was removed. Without a terminal, purge needs --yes.")
        return ExitCode.REFUSED
    _change(journal, name, lambda campaign: campaign.purge())
    return ExitCode.DONE


def _read(journal: str, name: str, do: Callable[[Campaign], Awaitable[T]]) -> T:
    """Open a journal for reading, which works while another process writes it."""
    return _with_campaign(journal, name, do, read_only=True)


def _change(journal: str, name: str, do: Callable[[Campaign], Awaitable[T]]) -> T:
    return _with_campaign(journal, name, do, read_only=is_missing(journal))


def _with_campaign(journal: str, name: str, do: Callable[[Campaign], Awaitable[T]], *, read_only: bool) -> T:
    async def with_campaign(opened: Journal) -> T:
        return await do(await opened.campaign(name))

    return with_journal(journal, with_campaign, read_only=read_only)


def _listed(requests: tuple[int, ...]) -> str:
    return ", ".join(map(str, requests)) or "none"
