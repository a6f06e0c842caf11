"""Durable campaigns of a journal, one at a time. All figures come from the journal, whichever process sends."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import attrs
from questions import SIZES, Draft, Question, ask_new, ask_rest

from callsavvy_async import Callsavvy
from callsavvy_async.campaigns import Campaign, CampaignReport, CampaignRun, Journal, JournalError, Phase
from callsavvy_async.campaigns.remaining import Resend

log = logging.getLogger("service.campaigns")

AUTHOR = "the operator's page"
"""Author of the page's commands in the journal. With a login, use the name of the operator."""
TICK = 0.2
"""Seconds between two looks at a campaign that is under way."""
IDLE_TICK = 1.0
"""Seconds between two looks otherwise."""
RATE_WINDOW = 5.0
"""Seconds over which the displayed rate is averaged."""
UNDER_WAY = {"running", "pausing", "paused", "stopping"}


class NotPossibleError(Exception):
    """The state of the campaign does not allow what the operator asks for. The text says why."""


@attrs.define
class Shown:
    """The campaign that the page shows."""

    campaign: Campaign
    run: CampaignRun | None = None
    stopped: str | None = None
    """Reason why the last run in this process ended early."""
    figures: dict[str, object] = attrs.field(factory=dict[str, object])
    _latest: deque[tuple[float, int]] = attrs.field(factory=deque[tuple[float, int]])

    @classmethod
    async def first_look(cls, campaign: Campaign, journal: Journal, run: CampaignRun | None = None) -> Shown:
        """Return a campaign whose figures are known."""
        shown = cls(campaign, run)
        await shown.look(journal)
        return shown

    async def look(self, journal: Journal) -> None:
        """Read all figures. The six counts always add up to ``total``."""
        report = await self.campaign.status()
        commands = await journal.commands(self.campaign.name)
        phase = commands[-1].phase if commands else Phase.SENDING
        settled = report.accepted + report.failed + report.rejected + report.unknown
        skipped = report.skipped.total()
        self.figures = {
            "name": self.campaign.name,
            "state": self._state(report, phase),
            "stopped": self.stopped,
            "total": report.given,
            "skipped": skipped,
            "pending": report.given - settled - skipped,
            **{name: getattr(report, name) for name in ("accepted", "failed", "rejected", "unknown", "requests")},
            "cost": str(report.cost),
            "rate": self._rate(settled),
        }

    def _state(self, report: CampaignReport, phase: Phase) -> str:
        if self.run is None and not report.running:
            return "unfinished" if report.pending else "ended"
        if phase is Phase.PAUSED:
            return "pausing" if report.in_flight else "paused"
        return "stopping" if phase is Phase.STOPPED else "running"

    def _rate(self, settled: int) -> float:
        """Return the recent rate in recipients per second."""
        now = anyio.current_time()
        self._latest.append((now, settled))
        while self._latest[0][0] < now - RATE_WINDOW:
            self._latest.popleft()
        then, before = self._latest[0]
        return (settled - before) / max(now - then, 1.0)


class Campaigns:
    """Asks before it sends, steers what is under way, and ends with the application.

    Args:
        client: The client to send with.
        journal: The open journal.
        rate: Maximum rate of the client, for the time that a plan names.
    """

    def __init__(self, client: Callsavvy, journal: Journal, *, rate: str | None) -> None:
        self._client = client
        self._journal = journal
        self._rate = rate
        self._question: Question | None = None
        self._starting = anyio.Lock()
        self.shown: Shown | None = None
        self.unfinished: list[dict[str, object]] = []
        """Other campaigns of the journal with recipients left to send to."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Show the journal's latest campaign, and run campaigns while the block runs. Requests in flight end with it."""
        loaded = [report for report in await self._journal.campaigns() if report.input_complete]
        if loaded:
            campaign = await self._journal.campaign(loaded[-1].name)
            self.shown = await Shown.first_look(campaign, self._journal)
            await self._look()
        async with anyio.create_task_group() as watching:
            watching.start_soon(self._watch)
            async with anyio.create_task_group() as self._tasks:
                yield
                if self.shown is not None and self.shown.run is not None:
                    self.shown.run.stop()  # in this process only: the journal's campaign can be resumed
            watching.cancel_scope.cancel()

    @property
    def is_under_way(self) -> bool:
        """Whether the shown campaign is sent now, by any process."""
        return self.shown is not None and self.shown.figures.get("state") in UNDER_WAY

    async def ask_new(self, draft: Draft) -> Question:
        """Plan a new campaign; see `questions.ask_new`. `start` sends it."""
        self._question = await ask_new(self._client, draft, rate=self._rate)
        return self._question

    async def ask_rest(self, name: str, resend: Resend) -> Question:
        """Plan what is left of a campaign; see `questions.ask_rest`. `start` sends it."""
        campaign = await self._journal.campaign(name)
        self._question = await ask_rest(self._client, campaign, rate=self._rate, resend=resend)
        return self._question

    async def start(self, name: str) -> None:
        """Start what the last question asked for. When this returns, the journal holds every recipient.

        Raises:
            NotPossibleError: A campaign is under way, or the question was another one or answered before.
            JournalError: The journal cannot be written. Nothing was sent.
        """
        async with self._starting:
            question = self._question
            if self.is_under_way:
                raise NotPossibleError("A campaign is under way: wait for it, or stop it.")
            if question is None or question.campaign != name or not question.can_be_sent:
                raise NotPossibleError("This plan is no longer valid: check it again.")
            self._question = None
            campaign = await self._ready(question)
            again = question.resend == "unknown"
            run = campaign.resend_unknown(self._client) if again else campaign.run(self._client)
            self.shown = await Shown.first_look(campaign, self._journal, run)
            self._tasks.start_soon(self._send, self.shown, run)

    async def _ready(self, question: Question) -> Campaign:
        """Load a new campaign, or allow an earlier one to continue."""
        journal, draft, name = self._journal, question.draft, question.campaign
        if draft is None:
            await journal.go_on(name, author=AUTHOR, wait=0)
            return await journal.campaign(name)
        campaign = await journal.campaign(name, draft.message, **SIZES)
        await campaign.load(draft.rows())
        if draft.max_cost is not None:  # as a command, the limit holds for later runs too
            await journal.set_limits(name, max_cost=draft.max_cost, author=AUTHOR, wait=0)
        return campaign

    async def steer(self, action: str) -> None:
        """Pause, continue or stop the campaign, in every process that sends it. Returns once the command is recorded.

        Raises:
            NotPossibleError: No campaign is under way.
        """
        if self.shown is None or not self.is_under_way:
            raise NotPossibleError("No campaign is under way.")
        commands = {"pause": self._journal.pause, "continue": self._journal.go_on, "stop": self._journal.stop}
        await commands[action](self.shown.campaign.name, author=AUTHOR, wait=0)
        await self._look()

    async def _send(self, shown: Shown, run: CampaignRun) -> None:
        try:
            await run
        except Exception as error:  # noqa: BLE001 - the application must survive a failed campaign
            log.error("campaign failed with %s", type(error).__name__)  # noqa: TRY400 - texts may hold personal data
        finally:
            shown.run = None
            shown.stopped = None if run.report.stopped is None else run.report.stopped.value
            log.info("campaign ended: %s", json.dumps(run.report.as_dict()))

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(TICK if self.is_under_way else IDLE_TICK)
            with suppress(JournalError):  # an outage: the page shows the last figures
                await self._look()

    async def _look(self) -> None:
        if self.shown is None:
            return
        await self.shown.look(self._journal)
        if not self.is_under_way:
            self.unfinished = [
                {"name": report.name, "pending": report.pending}
                for report in await self._journal.campaigns()
                if report.input_complete and report.pending and report.name != self.shown.campaign.name
            ]
