"""Sends that are written into a journal: begun by ``bulk --run``, continued by ``runs resume``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.campaigns import Campaign, CampaignOptions, CampaignReport, CampaignRun, Journal, RunOptions
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import Comparison, compare, outcomes_of, show_sums
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.stderr import explain, tell
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

    async def open(self, journal: Journal) -> Campaign:
        """Create or reopen it, and load the recipients unless they are there already."""
        campaign = await journal.campaign(self.name, self.job.message, **self.job.campaign(self.options))
        await campaign.load(self.rows(), **self.job.recipients)
        return campaign


@attrs.frozen
class Reopening:
    """A campaign that is there."""

    name: str

    async def open(self, journal: Journal) -> Campaign:
        """Reopen it."""
        return await journal.campaign(self.name)


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

    show_sums(anyio.run(load), json=json)
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
) -> ExitCode:
    """Open a campaign, send, and report.

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

    async def send() -> _Ended:
        async with Journal.open(url_of(journal)) as opened, client:
            campaign = await what.open(opened)
            before = await campaign.status()
            sent_before = None if ledger is None else await campaign.rows(outcomes_of)
            with progress(before.given - before.skipped.total()) as meter:

                def show(report: CampaignReport) -> None:
                    meter.show(report, client.pacing.snapshot())

                run = start(campaign, client, {**options, "on_progress": show})
                with stopping_on_signals(run):
                    error = await _outcome(_awaited(run))
            if report is not None:
                error = await _outcome(campaign.export(report)) or error
            comparison = None
            if ledger is not None:
                accepted = run.report.accepted - before.accepted
                comparison = await campaign.rows(partial(compare, ledger=ledger, accepted=accepted, before=sent_before))
            return _Ended(run.report, comparison, error)

    ended = anyio.run(send)
    show_sums(ended.report, ended.comparison, json=json)
    if ended.error is not None:
        tell(f"callsavvy: the run did not end well: {explain(ended.error)}")
    doubtful = ended.error is not None or (ended.comparison is not None and not ended.comparison.agrees)
    return code_of_report(ended.report) or (ExitCode.FAILED if doubtful else ExitCode.DONE)


@attrs.frozen
class _Ended:
    report: CampaignReport
    comparison: Comparison | None
    error: Exception | None


async def _awaited(run: CampaignRun) -> None:
    await run


async def _outcome(ending: Awaitable[None]) -> Exception | None:
    """Return what is raised at the end: what was sent before it is reported first."""
    try:
        await ending
    except Exception as error:  # noqa: BLE001 - told by the caller
        return error
    return None
