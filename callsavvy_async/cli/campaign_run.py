"""Campaigns: loaded and started by ``bulk --campaign``, continued by ``campaigns resume``."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import anyio
import attrs

from callsavvy_async.campaigns import Campaign, CampaignOptions, CampaignReport, CampaignRun, Journal, RunOptions
from callsavvy_async.cli.activity import current_activity, show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import compare, outcomes_of, result_of_sums
from callsavvy_async.cli.options import DEFAULT_JOURNAL, Pace
from callsavvy_async.cli.progress import progress, reading
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.simulator import Ledger

T = TypeVar("T")

Start: TypeAlias = Callable[[Campaign, Callsavvy, RunOptions], CampaignRun]
"""Creates a run of a campaign."""


@attrs.frozen
class Loading:
    """A campaign to create or reopen, and the recipients to load into it."""

    name: str
    job: Job
    options: CampaignOptions
    rows: Rows

    async def open(self, journal: Journal, client: Callsavvy | None = None) -> Campaign:
        """Create or reopen the campaign, bind it to the client's account, and load the missing recipients."""
        campaign = await journal.campaign(self.name, self.job.message, **self.job.campaign(self.options))
        if client is not None:
            await campaign.bind(client)
        rows = self.rows()
        with reading(rows):
            await campaign.load(rows, **self.job.recipients)
        return campaign


@attrs.frozen
class Reopening:
    """An existing campaign."""

    name: str

    async def open(self, journal: Journal, client: Callsavvy) -> Campaign:
        """Reopen the campaign for the client's account."""
        campaign = await journal.campaign(self.name)
        await campaign.bind(client)
        return campaign


def _tell_how_to_continue(report: CampaignReport, journal: str) -> None:
    if report.pending:
        where = "" if journal == DEFAULT_JOURNAL else " and the same --journal"
        tell(
            f"callsavvy: {report.pending:,} not sent yet. Continue with: callsavvy campaigns resume"
            f" {shlex.quote(report.name)}{where}"
        )


def url_of(journal: str) -> str:
    """Return the URL of a journal, given its file or URL."""
    return journal if is_url(journal) else f"sqlite:///{journal}"


def is_url(journal: str) -> bool:
    """True for a URL, False for a file."""
    return "://" in journal


def is_missing(journal: str) -> bool:
    """True for a file that does not exist. Opening it for writing would create it."""
    return not (is_url(journal) or Path(journal).exists())


def with_journal(journal: str, do: Callable[[Journal], Awaitable[T]], *, read_only: bool = True) -> T:
    """Open a journal, and run `do` with it. Reading works while another process writes."""

    async def opened_journal() -> T:
        async with Journal.open(url_of(journal), read_only=read_only, patience=0) as opened:
            return await do(opened)

    return anyio.run(opened_journal)


def run_options(pace: Pace, deadline: float | None) -> RunOptions:
    """Return the options of a run."""
    return {"max_cost": pace.max_cost, "max_in_flight": pace.max_in_flight, "deadline": deadline}


def send_pending(campaign: Campaign, client: Callsavvy, options: RunOptions) -> CampaignRun:
    """Start a run that sends the pending chunks."""
    return campaign.run(client, **options)


def load_campaign(journal: str, loading: Loading) -> ExitCode:
    """Load a campaign for workers to send, and print its sums."""

    async def load() -> CampaignReport:
        async with Journal.open(url_of(journal)) as opened:
            return await (await loading.open(opened)).status()

    show(result_of_sums(anyio.run(load)))
    return ExitCode.DONE


def send_campaign(
    journal: str,
    what: Loading | Reopening,
    client: Callsavvy,
    options: RunOptions,
    *,
    report: Path | None,
    ledger: Ledger | None = None,
    start: Start = send_pending,
) -> None:
    """Open a campaign and send. Compare with the ledger and write the report file even if an error ends the run.

    Args:
        journal: File or URL of the journal.
        what: The campaign.
        client: Client that sends.
        options: Options of the run.
        report: File for one row per recipient.
        ledger: Ledger of the simulator that receives the requests.
        start: Creates the run.
    """

    async def send() -> None:
        async with Journal.open(url_of(journal), simulated=ledger is not None) as opened, client:
            campaign = await what.open(opened, client)
            before = await campaign.status()
            current_activity().follow(before)
            sent_before = None if ledger is None else await campaign.rows(outcomes_of)
            with progress(before.given - before.skipped.total()) as meter:

                def show(report: CampaignReport) -> None:
                    meter.show(report, client.pacing.snapshot())

                run = start(campaign, client, {**options, "on_progress": show})
                try:
                    with stopping_on_signals(run):
                        await run
                finally:
                    if run.report.given:  # zero if it failed before it read the journal
                        current_activity().follow(run.report)
                        _tell_how_to_continue(run.report, journal)
                    with anyio.CancelScope(shield=True):
                        if ledger is not None:
                            accepted = run.report.accepted - before.accepted
                            current_activity().comparison = await campaign.rows(
                                partial(compare, ledger=ledger, accepted=accepted, before=sent_before)
                            )
                        if report is not None:
                            await campaign.export(report)

    anyio.run(send)
