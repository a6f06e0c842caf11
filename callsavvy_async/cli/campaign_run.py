"""Campaigns: loaded and started by ``bulk``, continued by ``campaigns resume``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import attrs

from callsavvy_async.campaigns import Campaign, CampaignOptions, CampaignReport, CampaignRun, Journal, RunOptions
from callsavvy_async.cli.activity import current_activity, show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.journals import url_of
from callsavvy_async.cli.ledger import compare, outcomes_of, result_of_sums
from callsavvy_async.cli.notify import Happening
from callsavvy_async.cli.progress import progress, reading
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.record import Record
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.simulator import Ledger

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
        try:
            with reading(rows):
                await campaign.load(rows, **self.job.recipients)
        except anyio.get_cancelled_exc_class():
            tell(
                "callsavvy: the list was not completely loaded, so nothing was sent from it. Run the same command again."
            )
            raise
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


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Name a file in the errors that the operating system raises without a name, such as for a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or path
        raise


def send_pending(campaign: Campaign, client: Callsavvy, options: RunOptions) -> CampaignRun:
    """Start a run that sends the pending chunks."""
    return campaign.run(client, **options)


def load_campaign(record: Record, loading: Loading) -> ExitCode:
    """Load a campaign for workers to send, and print its sums."""

    async def load() -> CampaignReport:
        async with Journal.open(url_of(record.journal)) as opened:
            return await (await loading.open(opened)).status()

    loaded = anyio.run(load)
    show(result_of_sums(loaded))
    tell(f"callsavvy: {loaded.pending:,} are loaded, and nothing is sent yet. Send with: {record.working()}")
    return ExitCode.DONE


@attrs.define
class Watcher:
    """Says at once what a person has to know about a campaign that this process sends."""

    record: Record
    paused: bool = False
    leases_lost: int = 0

    def look_at(self, report: CampaignReport, leases_lost: int) -> None:
        """Compare with the last state.

        Args:
            report: Sums of the campaign.
            leases_lost: Number of times that this process lost its lease.
        """
        notifier = current_activity().notifier
        if report.paused and not self.paused:
            tell(
                f"callsavvy: paused after {report.accepted:,} accepted, {report.failed + report.rejected:,} not accepted"
                f" and {report.unknown:,} unknown. Continue from another terminal with: {self.record.continuing()}"
            )
            if notifier is not None:
                notifier.notify(Happening.PAUSED, report)
        if leases_lost > self.leases_lost and notifier is not None:
            notifier.notify(Happening.LEASE_LOST, report)
        self.paused, self.leases_lost = report.paused, leases_lost


def send_campaign(
    record: Record,
    what: Loading | Reopening,
    client: Callsavvy,
    deadline: float | None,
    *,
    report: Path | None,
    ledger: Ledger | None = None,
    start: Start = send_pending,
) -> None:
    """Open a campaign and send. Compare with the ledger and write the report file even if an error ends the run.

    Args:
        record: Where the campaign is recorded, and its limits.
        what: The campaign.
        client: Client that sends.
        deadline: Seconds after which no more requests start.
        report: File for one row per recipient.
        ledger: Ledger of the simulator that receives the requests.
        start: Creates the run.
    """
    options: RunOptions = {
        "max_cost": record.pace.max_cost,
        "max_in_flight": record.pace.max_in_flight,
        "deadline": deadline,
    }

    async def send() -> None:
        async with Journal.open(url_of(record.journal), simulated=ledger is not None) as opened, client:
            campaign = await what.open(opened, client)
            before = await campaign.status()
            current_activity().follow(before)
            sent_before = None if ledger is None else await campaign.rows(outcomes_of)
            with progress(before.given - before.skipped.total()) as meter:
                watcher = Watcher(record)

                def show(report: CampaignReport) -> None:
                    watcher.look_at(run.report, run.leases_lost)
                    meter.show(report, client.pacing.snapshot())

                run = start(campaign, client, {**options, "on_progress": show})
                try:
                    with stopping_on_signals(run):
                        await run
                finally:
                    if run.report.given:  # zero if it failed before it read the journal
                        current_activity().follow(run.report)
                        record.tell_how_to_continue(run.report, report)
                    with anyio.CancelScope(shield=True):
                        if ledger is not None:
                            accepted = run.report.accepted - before.accepted
                            current_activity().comparison = await campaign.rows(
                                partial(compare, ledger=ledger, accepted=accepted, before=sent_before)
                            )
                        if report is not None:
                            with naming(report):
                                await campaign.export(report)

    anyio.run(send)
