"""``callsavvy campaigns``: inspect, continue and settle campaigns in a journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import attrs
from cyclopts import Parameter

from callsavvy_async.campaigns import (
    Campaign,
    CampaignReport,
    CampaignRun,
    Command,
    Journal,
    Reconciliation,
    RunOptions,
    UnknownChunk,
)
from callsavvy_async.campaigns.remaining import Resend
from callsavvy_async.cli.activity import current_activity, refuse, show as show_result
from callsavvy_async.cli.campaign_run import Reopening, send_campaign, send_pending
from callsavvy_async.cli.campaign_steering import lines_of_commands
from callsavvy_async.cli.client import open_client, open_sender
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.ledger import data_of_sums, result_of_sums
from callsavvy_async.cli.notify import Notifier, Notify
from callsavvy_async.cli.options import (
    DEFAULT_PACE,
    CampaignName,
    Deadline,
    JournalName,
    Pace,
    ReportFile,
)
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.overwriting import refuse_overwriting
from callsavvy_async.cli.record import Record
from callsavvy_async.cli.rest import Rest
from callsavvy_async.cli.stderr import ask, can_ask
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.wording import quantity

T = TypeVar("T")

_COLUMNS = (
    "name",
    "simulated",
    "given",
    "accepted",
    "unknown",
    "pending",
    "in_flight",
    "cost",
    "requests_without_cost",
)
"""Columns of the list of campaigns."""


def list_campaigns(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List the campaigns of a journal."""
    reports = with_journal(journal, lambda opened: opened.campaigns())
    show_result(Result([{name: getattr(report, name) for name in _COLUMNS} for report in reports], columns=_COLUMNS))


def show(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """Show the sums of a campaign, and the commands that it got. The exit code reflects its current state."""

    async def read(opened: Journal) -> tuple[CampaignReport, tuple[Command, ...]]:
        return await (await opened.campaign(name)).status(), await opened.commands(name)

    report, given = with_journal(journal, read)
    sums = result_of_sums(report)
    show_result(
        Result(
            {**data_of_sums(report), "commands": [command.as_dict() for command in given]},
            "\n".join([str(sums.text), *lines_of_commands(given)]),
        )
    )
    return code_of_report(report)


def resume(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    resend: Resend = "nothing",
    yes: bool = False,
    report: ReportFile | None = None,
    deadline: Deadline = None,
    notify: Notify = None,
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
        deadline: Seconds after which no more requests start.
        notify: URL or command to notify.
        pace: Rate and cost limits.
    """
    current_activity().notifier = Notifier.to(notify)
    refuse_overwriting({}, report=report, journal=journal)
    if not (yes or can_ask()):
        return refuse("nothing was sent: without a terminal, resume needs --yes.")
    client = open_sender(pace)
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
        start=send_pending if resend == "nothing" else again,
    )
    return None


def unknown(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    numbers: Annotated[bool, Parameter(help="Show the phone numbers too.")] = False,
) -> ExitCode:
    """List the unknown requests of a campaign: perhaps done, perhaps charged."""
    chunks = _read(journal, name, lambda campaign: campaign.unknown())
    columns = ("request", "recipients", "estimated_units", "detail", "request_id", *(("numbers",) if numbers else ()))
    rows = [
        (chunk.number, len(chunk.recipients), chunk.estimate, chunk.detail, chunk.request_id, _numbers(chunk))
        for chunk in chunks
    ]
    show_result(Result([dict(zip(columns, row, strict=False)) for row in rows], columns=columns))
    return ExitCode.UNKNOWN if chunks else ExitCode.DONE


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
        count = await campaign.resolve_restored(as_sent=sent) if restored else len(requests)
        for number in requests:
            await campaign.resolve(number, as_sent=sent)
        show_result(Result({"resolved": count, "sent": sent}, f"{quantity(count, 'request')} resolved"))

    _change(journal, name, settle)


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
        show_result(Result(attrs.asdict(found), "\n".join(_lines_of(found))))
        return ExitCode.DONE if found.acted else code_of_report(await campaign.status())

    return _change(journal, name, settle)


def report(name: CampaignName, file: ReportFile, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Write one row per recipient to a .csv, .jsonl or .parquet file. The file contains phone numbers."""
    refuse_overwriting({}, report=file, journal=journal)
    _read(journal, name, lambda campaign: campaign.export(file))
    show_result(Result({"file": str(file)}, ""))


def verify(name: CampaignName, /, *, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """Check the journal of a campaign: file, states, checksums, duplicates and sums."""
    verification = _read(journal, name, lambda campaign: campaign.verify())
    found = [str(finding) for finding in verification.findings]
    counted = {"requests": verification.chunks, "recipients": verification.recipients}
    nouns = {"request": verification.chunks, "recipient": verification.recipients, "finding": len(found)}
    sums = ", ".join(quantity(count, noun) for noun, count in nouns.items())
    show_result(Result({**counted, "findings": found}, "\n".join([*found, sums])))
    return ExitCode.DONE if verification.sound else ExitCode.FAILED


def backup(file: Path, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Copy a journal file to a new file, even while its campaigns run.

    Args:
        file: The copy; must not exist yet.
        journal: Journal file.
    """
    with_journal(journal, lambda opened: opened.backup(file))
    show_result(Result({"file": str(file)}, ""))


def purge(
    name: CampaignName,
    /,
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    yes: Annotated[bool, Parameter(help="Remove without asking.")] = False,
) -> ExitCode:
    """Remove the numbers and texts of a campaign from the journal. Its sums stay; pending requests are never sent."""
    if not yes and not (can_ask() and ask(f"Permanently remove the numbers and texts of campaign {name!r}?")):
        return refuse("nothing was removed. Without a terminal, purge needs --yes.")
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


def _numbers(chunk: UnknownChunk) -> list[str]:
    return [recipient.number for recipient in chunk.recipients]


def _lines_of(found: Reconciliation) -> Iterator[str]:
    before, now = (_amount(balance) for balance in (found.balance_before, found.balance_now))
    yield f"balance before {before}, now {now}; known cost {_amount(found.known_cost)}"
    yield f"charged: {_listed(found.charged)}; not charged: {_listed(found.not_charged)}"
    yield f"undecided: {_listed(found.undecided)}"
    if found.why:
        yield found.why


def _amount(units: Decimal | None) -> str:
    return "unknown" if units is None else f"{units:,}"


def _listed(requests: tuple[int, ...]) -> str:
    return ", ".join(map(str, requests)) or "none"
