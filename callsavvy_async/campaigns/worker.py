"""A process that works on a campaign: it joins, sends what is pending, and stays until nothing is left that it could send.

A run ends when its run has tried every pending chunk; a runner begins another one while runs still change something, since
what was refused for the moment, or given back, may be sent later. The same loop serves the command line, task queues and
programs of your own.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Unpack

import anyio
import attrs

from callsavvy_async.bulk.report import ChunkResult, StopReason
from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.errors import JournalUnavailableError, NotLoadedError
from callsavvy_async.campaigns.open_journal import Journal
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run import CampaignRun, RunOptions, run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError


@attrs.define
class WorkerStatus:
    """What a runner tells of itself; another thread may read it.

    Attributes:
        joined: whether its journal is open and the campaign is there.
        sending: whether a run is under way.
        stopping: whether it was told to stop.
        requests: requests that it settled, by outcome.
        recipients: the same, of recipients.
        since: when it began, on the clock of `time.monotonic`.
    """

    joined: bool = False
    sending: bool = False
    stopping: bool = False
    requests: Counter[str] = attrs.field(factory=Counter[str])
    recipients: Counter[str] = attrs.field(factory=Counter[str])
    since: float = attrs.field(factory=time.monotonic)

    def settle(self, result: ChunkResult) -> None:
        """Count what became of a request."""
        self.requests[result.state.value] += 1
        self.recipients[result.state.value] += len(result.recipients)


class Runner:
    """Works on a campaign, beside any number of others: ``report = await Runner(url, name).work(callsavvy)``. Once.

    Args:
        url: of the journal; see `Journal.open`. PostgreSQL is shared by many; a SQLite file has one process at a time.
        name: of the campaign.
        forever: stay when nothing is left, and wait for a campaign that is not there or not loaded yet; `stop` ends it.
        poll: seconds between two looks at what others have done.
        patience: seconds for which a journal that cannot be written is waited for, with outcomes kept in memory.
        lease: see `Journal.open`.
        **options: of every run; see `RunOptions`. Its `deadline` is each run's.
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
        run_settings(**options)  # raises what a run would raise
        self.name = name
        self.status = WorkerStatus()
        """What it tells of itself, at any time."""
        self._journal = Journal.open(url, patience=patience, lease=lease)
        self._forever = forever
        self._poll = poll
        self._patience = patience
        self._options = options
        self._observed: Callable[[ChunkResult], object] | None = options.get("on_result")
        self._campaign: Campaign | None = None
        self._run: CampaignRun | None = None
        self._stopped = anyio.Event()

    def __repr__(self) -> str:
        return f"<Runner of {self.name!r} in {self._journal!r}>"

    def stop(self) -> None:
        """Send nothing more, wait for what is on the wire, and leave. From inside the event loop."""
        self.status.stopping = True
        self._stopped.set()
        if self._run is not None:
            self._run.stop()

    def abandon(self) -> None:
        """Leave without waiting: what is on the wire becomes unknown."""
        self.stop()
        if self._run is not None:
            self._run.abandon()

    async def work(self, callsavvy: Callsavvy) -> CampaignReport:
        """Work until nothing is left to send, whoever sends it, or until a run stops early: the report says why.

        Cancelling sends nothing more and waits for the answers to what is on the wire.

        Args:
            callsavvy: the client to send with, open.

        Raises:
            InvalidRequestError: there is no such campaign, or it is not loaded to its end (unless `forever`).
            JournalError: the journal cannot be used.
        """
        async with self._journal as journal:
            try:
                return await self._work(journal, callsavvy)
            finally:
                self.status.joined = False

    async def heartbeat_age(self) -> float | None:
        """Return for how many seconds this process has not written to the journal; None while it has no run.

        Raises:
            JournalError: the journal cannot be read.
        """
        if self._campaign is None or not self.status.sending:
            return None
        own = f"{socket.gethostname()}:{os.getpid()}"
        ages = [
            worker.heartbeat_age for worker in await self._campaign.workers() if worker.name == own and worker.alive
        ]
        return min(ages, default=None)

    async def _work(self, journal: Journal, callsavvy: Callsavvy) -> CampaignReport:
        report = CampaignReport(name=self.name)
        while not self._stopped.is_set():
            before = await self._look(journal)
            self.status.joined = before is not None
            if self._campaign is not None and before is not None and (before.input_complete or not self._forever):
                report = before
                if before.pending + before.in_flight or not before.input_complete:  # the run says what is wrong with it
                    report = await self._send(self._campaign, callsavvy, before)
                if report.stopped is not None or not (self._forever or _may_go_on(before, report)):
                    return report
            await self._pause()
        report.stopped = report.stopped or StopReason.INTERRUPTED
        return report

    async def _pause(self) -> None:
        with anyio.move_on_after(self._poll):
            await self._stopped.wait()

    async def _look(self, journal: Journal) -> CampaignReport | None:
        """Return the campaign's sums; None while it is not there and may come, or when told to stop while it is away."""
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
        """Return the campaign; None while it is not there and may come."""
        if not self._forever:
            return await journal.campaign(self.name)
        with suppress(InvalidRequestError):
            return await journal.campaign(self.name)
        return None

    async def _send(self, campaign: Campaign, callsavvy: Callsavvy, before: CampaignReport) -> CampaignReport:
        options: RunOptions = {**self._options, "on_result": self._settle}
        self._run = campaign.run(callsavvy, **options)
        self.status.sending = True
        if self._stopped.is_set():
            self._run.stop()
        try:
            return await self._run
        except NotLoadedError:  # another list began to be loaded since the look
            if not self._forever:
                raise
            return before
        finally:
            self._run, self.status.sending = None, False

    def _settle(self, result: ChunkResult) -> None:
        self.status.settle(result)
        if self._observed is not None:
            self._observed(result)


def _may_go_on(before: CampaignReport, report: CampaignReport) -> bool:
    """Whether another run may send what this one left: as long as runs change something, this one or others."""
    left = report.pending + report.in_flight
    return left > 0 and (
        report.running or (report.requests, left) != (before.requests, before.pending + before.in_flight)
    )
