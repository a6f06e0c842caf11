"""A worker: a process that executes runs of a campaign until it can send nothing more.

A run ends once it has tried every pending chunk. The worker starts another run as long as the previous one made progress,
because rate-limited or released chunks may be sendable later. The command line and the task queues use this loop.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Unpack

import anyio
import attrs

from callsavvy_async.bulk.report import ChunkResult, StopReason
from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.client_protocol import Client
from callsavvy_async.campaigns.errors import JournalUnavailableError, NotLoadedError
from callsavvy_async.campaigns.journal.runs import process_name
from callsavvy_async.campaigns.open_journal import Journal
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run import CampaignRun, RunOptions, run_settings
from callsavvy_async.errors import InvalidRequestError


@attrs.define
class WorkerStatus:
    """The current status of a worker. Any thread may read it.

    Attributes:
        joined: True if the journal is open and contains the campaign.
        sending: True if a run is active.
        stopping: True after `stop`.
        requests: number of settled requests, by outcome.
        recipients: number of recipients in them, by outcome.
        since: start time, on the clock of `time.monotonic`.
    """

    joined: bool = False
    sending: bool = False
    stopping: bool = False
    requests: Counter[str] = attrs.field(factory=Counter[str])
    recipients: Counter[str] = attrs.field(factory=Counter[str])
    since: float = attrs.field(factory=time.monotonic)

    def settle(self, result: ChunkResult) -> None:
        """Count the outcome of a request."""
        self.requests[result.state.value] += 1
        self.recipients[result.state.value] += len(result.recipients)


class Runner:
    """Executes runs of a campaign, beside any number of other workers: ``report = await Runner(url, name).work(callsavvy)``.

    Args:
        url: URL of the journal; see `Journal.open`. Processes can share PostgreSQL, but not a SQLite file.
        name: name of the campaign.
        forever: wait for new recipients, and for a campaign that does not exist or is not loaded yet, until `stop`.
        poll: seconds between two looks at the journal.
        patience: seconds to wait for an unavailable journal, with outcomes in memory.
        lease: see `Journal.open`.
        **options: options of each run; see `RunOptions`. `deadline` applies to each run.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        forever: bool = False,
        poll: float = 2.0,
        patience: float = 120.0,
        lease: float = 30.0,
        **options: Unpack[RunOptions],
    ) -> None:
        run_settings(**options)  # validates early
        self.name = name
        self.status: WorkerStatus = WorkerStatus()
        """Current status."""
        self._journal = Journal.open(url, patience=patience, lease=lease)
        self._forever = forever
        self._poll = poll
        self._patience = patience
        self._options = options
        self._observed: Callable[[ChunkResult], object] | None = options.get("on_result")
        self._campaign: Campaign | None = None
        self._run: CampaignRun | None = None
        self._given_at: int | None = None
        self._leases_lost = 0
        self._stopped = anyio.Event()

    def __repr__(self) -> str:
        return f"<Runner of {self.name!r} in {self._journal!r}>"

    @property
    def leases_lost(self) -> int:
        """Number of times that this process lost its lease and went on as a new run."""
        return self._leases_lost + (0 if self._run is None else self._run.leases_lost)

    def stop(self) -> None:
        """Send nothing more, and end after the requests in flight. Call it in the event loop."""
        self.status.stopping = True
        self._stopped.set()
        if self._run is not None:
            self._run.stop()

    def abandon(self) -> None:
        """End without waiting. Requests in flight become unknown."""
        self.stop()
        if self._run is not None:
            self._run.abandon()

    async def work(self, callsavvy: Client) -> CampaignReport:
        """Execute runs until all workers together have sent everything, or a run stops early; `report.stopped` says why.

        Cancelling sends nothing more, and waits for the requests in flight. Call it once per `Runner`.

        Args:
            callsavvy: the open client to send with.

        Raises:
            InvalidRequestError: the campaign does not exist or is not completely loaded, unless `forever`.
            JournalError: the journal cannot be used.
        """
        async with self._journal as journal:
            try:
                return await self._work(journal, callsavvy)
            finally:
                self.status.joined = False

    async def heartbeat_age(self) -> float | None:
        """Return the seconds since this process's last heartbeat; None while it has no run.

        Raises:
            JournalError: the journal cannot be read.
        """
        if self._campaign is None or not self.status.sending:
            return None
        workers, own = await self._campaign.workers(), process_name()
        return min((worker.heartbeat_age for worker in workers if worker.name == own and worker.alive), default=None)

    async def _work(self, journal: Journal, callsavvy: Client) -> CampaignReport:
        report = CampaignReport(name=self.name)
        while not self._stopped.is_set():
            before = await self._look(journal)
            self.status.joined = before is not None
            if before is not None and (before.input_complete or not self._forever):
                report = await self._send_rest(callsavvy, before)
                if report.stopped is not None or not (self._forever or _may_go_on(before, report)):
                    return report
            await self._pause()
        report.stopped = report.stopped or StopReason.INTERRUPTED
        return report

    async def _send_rest(self, callsavvy: Client, before: CampaignReport) -> CampaignReport:
        if before.input_complete and not before.pending + before.in_flight:
            return before
        assert self._campaign is not None  # noqa: S101 - found by `_look`
        return await self._send(self._campaign, callsavvy, before)  # raises for incomplete input

    async def _pause(self) -> None:
        with anyio.move_on_after(self._poll):
            await self._stopped.wait()

    async def _look(self, journal: Journal) -> CampaignReport | None:
        """Return the campaign's report; None while it does not exist yet, or if stopped while the journal is unavailable."""
        began = anyio.current_time()
        while not self._stopped.is_set():
            try:
                self._campaign = await self._find(journal)
                return None if self._campaign is None else await self._campaign.status()
            except JournalUnavailableError:
                self.status.joined = False
                if anyio.current_time() - began >= self._patience:
                    raise
                await self._pause()
        return None

    async def _find(self, journal: Journal) -> Campaign | None:
        """Return the campaign; None while it does not exist and the worker waits for it."""
        if not self._forever:
            return await journal.campaign(self.name)
        with suppress(InvalidRequestError):
            return await journal.campaign(self.name)
        return None

    async def _send(self, campaign: Campaign, callsavvy: Client, before: CampaignReport) -> CampaignReport:
        options: RunOptions = {**self._options, "on_result": self._settle}
        self._run = campaign.run(callsavvy, **options)
        self._run.given_at = self._given_at  # the options of all runs were given when this process started
        self.status.sending = True
        if self._stopped.is_set():
            self._run.stop()
        try:
            return await self._run
        except NotLoadedError:  # another load began after `_look`
            if not self._forever:
                raise
            return before
        finally:
            self._given_at = self._run.given_at
            self._leases_lost = self.leases_lost
            self._run, self.status.sending = None, False

    def _settle(self, result: ChunkResult) -> None:
        self.status.settle(result)
        if self._observed is not None:
            self._observed(result)


def _may_go_on(before: CampaignReport, report: CampaignReport) -> bool:
    """Return True if another run may send the rest: some chunks are left, and runs still make progress."""
    left = report.pending + report.in_flight
    return left > 0 and (
        report.running or (report.requests, left) != (before.requests, before.pending + before.in_flight)
    )
