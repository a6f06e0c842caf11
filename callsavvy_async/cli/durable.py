"""Sends that are written into a journal: begun by ``bulk --run``, continued by ``runs resume``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.bulk.bulk import BulkOptions
from callsavvy_async.campaigns import Campaign, CampaignReport, CampaignRun, Journal, Spec
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.output import show_json
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.stderr import explain, tell
from callsavvy_async.client import Callsavvy

Start: TypeAlias = Callable[[Campaign, Callable[[CampaignReport], object]], CampaignRun]
"""Makes the run of a campaign."""


@attrs.frozen
class Loading:
    """A campaign that is created or reopened, and what is loaded into it."""

    name: str
    spec: Spec
    rows: Rows
    options: BulkOptions = attrs.field(repr=False)

    async def open(self, journal: Journal) -> Campaign:
        """Create or reopen it, and load the recipients unless they are there already."""
        campaign = await journal.campaign(self.name, self.spec)
        await campaign.load(
            self.rows(),
            column=self.options.get("column"),
            suppress=self.options.get("suppress", ()),
            region=self.options.get("region"),
            validate=self.options.get("validate", "shape"),
        )
        return campaign


@attrs.frozen
class Reopening:
    """A campaign that is there."""

    name: str

    async def open(self, journal: Journal) -> Campaign:
        """Reopen it."""
        return await journal.campaign(self.name)


def url_of(path: Path) -> str:
    """Return the URL of a journal's file."""
    return f"sqlite:///{path}"


def send_durably(
    journal: Path,
    what: Loading | Reopening,
    client: Callsavvy,
    pace: Pace,
    *,
    report: Path | None,
    json: bool,
    start: Start | None = None,
) -> ExitCode:
    """Open a campaign, send what is pending, and report."""

    def run_all(campaign: Campaign, on_progress: Callable[[CampaignReport], object]) -> CampaignRun:
        return campaign.run(client, max_cost=pace.max_cost, max_in_flight=pace.max_in_flight, on_progress=on_progress)

    async def send() -> tuple[CampaignReport, Exception | None]:
        async with Journal.open(url_of(journal)) as opened, client:
            campaign = await what.open(opened)
            status = await campaign.status()
            with progress(status.given - status.skipped.total()) as meter:
                run = (start or run_all)(campaign, lambda report: meter.show(report, client.pacing.snapshot()))
                with stopping_on_signals(run):
                    error = await _outcome(run)
            if report is not None:
                await campaign.export(report)
            return run.report, error

    sums, error = anyio.run(send)
    show_sums(sums, json=json)
    if error is not None:
        tell(f"callsavvy: the run did not end well: {explain(error)}")
    return code_of_report(sums) or (ExitCode.DONE if error is None else ExitCode.FAILED)


async def _outcome(run: CampaignRun) -> Exception | None:
    try:
        await run
    except Exception as error:  # noqa: BLE001 - what was sent before it is reported first
        return error
    return None


def show_sums(report: CampaignReport, *, json: bool) -> None:
    """Print the sums of a campaign."""
    if json:
        show_json(report.as_dict())
    else:
        print(report)
