"""Sends that are written into a journal: begun by ``bulk --campaign``, continued by ``campaigns resume``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.campaigns import Campaign, CampaignOptions, CampaignReport, CampaignRun, Journal, RunOptions
from callsavvy_async.cli.books import books
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import compare, lines_of_sums, outcomes_of
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.client import Callsavvy
from callsavvy_async.simulator import Ledger

Start: TypeAlias = Callable[[Campaign, Callsavvy, RunOptions], CampaignRun]
"""Makes the run of a campaign."""


@attrs.frozen
class Loading:
    """A campaign that is created or reopened, and what is loaded into it."""

    name: str
    job: Job
    options: CampaignOptions
    rows: Rows

    async def open(self, journal: Journal, client: Callsavvy | None = None) -> Campaign:
        """Create or reopen it, for the account of a client, and load the recipients unless they are there already."""
        campaign = await journal.campaign(self.name, self.job.message, **self.job.campaign(self.options))
        if client is not None:
            await campaign.bind(client)
        await campaign.load(self.rows(), **self.job.recipients)
        return campaign


@attrs.frozen
class Reopening:
    """A campaign that is there."""

    name: str

    async def open(self, journal: Journal, client: Callsavvy) -> Campaign:
        """Reopen it, if it belongs to the account of the client."""
        campaign = await journal.campaign(self.name)
        await campaign.bind(client)
        return campaign


def url_of(journal: str) -> str:
    """Return the URL of a journal that is named by its file or by its URL."""
    return journal if is_url(journal) else f"sqlite:///{journal}"


def is_url(journal: str) -> bool:
    """Whether a journal is named by its URL."""
    return "://" in journal


def run_options(pace: Pace, deadline: float | None) -> RunOptions:
    """Return the options of a campaign's run."""
    return {"max_cost": pace.max_cost, "max_in_flight": pace.max_in_flight, "deadline": deadline}


def send_pending(campaign: Campaign, client: Callsavvy, options: RunOptions) -> CampaignRun:
    """Send what is pending, and nothing else."""
    return campaign.run(client, **options)


def load_durably(journal: str, loading: Loading, *, json: bool) -> ExitCode:
    """Write a campaign into its journal for workers to send, and say how many there are."""

    async def load() -> CampaignReport:
        async with Journal.open(url_of(journal)) as opened:
            return await (await loading.open(opened)).status()

    print(lines_of_sums(anyio.run(load), json=json))
    return ExitCode.DONE


def send_durably(
    journal: str,
    what: Loading | Reopening,
    client: Callsavvy,
    options: RunOptions,
    *,
    report: Path | None,
    json: bool,
    ledger: Ledger | None = None,
    start: Start = send_pending,
) -> None:
    """Open a campaign and send; compare and write the report file also when an error ends the run.

    Args:
        journal: its file, or its URL.
        what: the campaign.
        client: to send with.
        options: of the run.
        report: one row per recipient goes to this file.
        json: print the sums as JSON.
        ledger: of the simulator that is sent to; the report is compared with it.
        start: makes the run.
    """

    async def send() -> None:
        async with Journal.open(url_of(journal), simulated=ledger is not None) as opened, client:
            campaign = await what.open(opened, client)
            before = await campaign.status()
            books().follow(before, json=json)
            sent_before = None if ledger is None else await campaign.rows(outcomes_of)
            with progress(before.given - before.skipped.total()) as meter:

                def show(report: CampaignReport) -> None:
                    meter.show(report, client.pacing.snapshot())

                run = start(campaign, client, {**options, "on_progress": show})
                try:
                    with stopping_on_signals(run):
                        await run
                finally:
                    if run.report.given:  # else it failed before it read the journal
                        books().follow(run.report, json=json)
                    with anyio.CancelScope(shield=True):
                        if ledger is not None:
                            accepted = run.report.accepted - before.accepted
                            books().comparison = await campaign.rows(
                                partial(compare, ledger=ledger, accepted=accepted, before=sent_before)
                            )
                        if report is not None:
                            await campaign.export(report)

    anyio.run(send)
