"""A run of a campaign as its user holds it: to await, to stop, to pause."""

from __future__ import annotations

from collections.abc import Callable, Set as AbstractSet
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Unpack

import anyio

from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.options import SendOptions, SendSettings, refuse_unknown_options
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.bulk.run import Run
from callsavvy_async.bulk.stop_rules import StopRules
from callsavvy_async.campaigns.errors import ChunkLostError, LeaseLostError, NotLoadedError
from callsavvy_async.campaigns.heartbeat import Heartbeat
from callsavvy_async.campaigns.journal import repository, runs, sql, sums
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.owner import Owner, bind
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.purge import refuse_if_purged
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.errors import RequestError
from callsavvy_async.transport.background import beside

if TYPE_CHECKING:
    from callsavvy_async.client import Callsavvy

MOST_AT_HAND = 32
"""Chunks that a run claims ahead, at most: others may work on the campaign too."""


class RunOptions(SendOptions, total=False):
    """Keyword options of a campaign's run: `SendOptions` and those below.

    Attributes:
        on_progress: called with the report after every request.
    """

    on_progress: Callable[[CampaignReport], object] | None


def run_settings(**options: Unpack[RunOptions]) -> SendSettings:
    """Take in the options of a run.

    Raises:
        ConfigurationError: one does not exist, or breaks a rule.
    """
    refuse_unknown_options(options, SendSettings, "a run")
    return SendSettings(**options)


class CampaignRun(Run[CampaignReport]):
    """A run of a campaign. Its report is that of the journal, over all runs.

    Args:
        writer: of the journal.
        campaign: its id there.
        name: of the campaign.
        spec: what it sends.
        callsavvy: the client to send with.
        owner: the account and server that the campaign belongs to.
        settings: how the run goes about it.
        patience: seconds for which a journal that cannot be written is waited for.
        resends: states whose chunks are made pending before the run begins.
    """

    def __init__(
        self,
        writer: Writer,
        campaign: int,
        *,
        name: str,
        spec: Spec,
        callsavvy: Callsavvy,
        owner: Owner,
        settings: SendSettings,
        patience: float,
        resends: AbstractSet[str],
    ) -> None:
        super().__init__(CampaignReport(name=name), settings)
        self._writer = writer
        self._campaign = campaign
        self._spec = spec
        self._callsavvy = callsavvy
        self._owner = owner
        self._resends = resends
        self._retrying = RetryingWriter(writer, patience)
        self._reading_balance: anyio.CancelScope | None = None
        self._fan_out: FanOut | None = None
        self._source: JournalSource | None = None
        self._stopped: StopReason | None = None
        self._paused = False

    def abandon(self) -> None:
        """Stop without waiting: what is on the wire becomes unknown."""
        self.stop()
        self._retrying.seconds = 0
        if self._fan_out is not None:
            self._fan_out.abandon()

    def pause(self) -> None:
        """Start no further requests until `go_on`; those under way go on."""
        self._paused = True
        if self._source is not None:
            self._source.pause()

    def go_on(self) -> None:
        """Continue after `pause`."""
        self._paused = False
        if self._source is not None:
            self._source.go_on()

    async def _send(self) -> None:
        """Send under one run, and under another one whenever the run was taken for dead and goes on all the same."""
        await self._prepare()
        if self._resends:  # not tried again: what was unknown before is no more what a person looked at
            await self._writer.run(self._make_pending)
        context, fund = await self._retrying.write(self._begin)
        while await self._was_lost(context, fund):
            self.report.stopped = None
            context, fund = await self._retrying.write(self._begin)

    async def _was_lost(self, context: RunContext, fund: CampaignBudget | None) -> bool:
        """Send under a run until there is nothing more to send; True when it was taken for dead before that."""
        fan_out = self._make_fan_out(context, fund)
        lost = False

        def give_up() -> None:
            nonlocal lost
            lost = True
            fan_out.stop(StopReason.ERROR)

        heartbeat = Heartbeat(self._writer, context, give_up, self._callsavvy.pacing.snapshot)
        try:
            async with beside(heartbeat.beat):
                try:
                    await fan_out.run()
                finally:
                    heartbeat.stop()
        except (ChunkLostError, LeaseLostError):
            lost = lost or await heartbeat.is_lost()
            if not lost:
                raise
        finally:
            with anyio.CancelScope(shield=True):
                await context.end()
                await context.write(lambda cursor: sums.fill(cursor, context.campaign, self.report))
        return lost and self._stopped is None and self.report.stopped in {None, StopReason.ERROR}

    async def _prepare(self) -> None:
        """Read the sums, refuse what cannot be run, and note the balance."""
        await self._retrying.write(lambda cursor: bind(cursor, self._campaign, self._owner))
        await self._retrying.write(lambda cursor: sums.fill(cursor, self._campaign, self.report))
        self._refuse_if_incomplete()
        if not await self._retrying.write(lambda cursor: sums.has_baseline(cursor, self._campaign)):
            await self._note_balance()

    def _make_pending(self, cursor: Cursor) -> None:
        refuse_if_purged(cursor, self._campaign)
        repository.make_pending(cursor, self._campaign, self._resends)

    def _begin(self, cursor: Cursor) -> tuple[RunContext, CampaignBudget | None]:
        """Refuse what does not add up, and begin an run."""
        cursor.execute(sql.LOCK_CAMPAIGN, (self._campaign,)).fetchone()  # as do a load and a purge
        refuse_if_purged(cursor, self._campaign)
        sums.fill(cursor, self._campaign, self.report)
        self._refuse_if_incomplete()
        self.report.check()
        run_id = runs.begin(cursor, self._campaign, self._writer.database.lease)
        limit = self._settings.max_cost
        fund = None if limit is None else CampaignBudget.of(cursor, self._campaign, limit)
        return RunContext(self._campaign, run_id, self._retrying), fund

    def _refuse_if_incomplete(self) -> None:
        if not self.report.input_complete:
            raise NotLoadedError(
                "the recipients of this campaign are not loaded to their end; load them (again), which takes nobody twice."
            )

    async def _note_balance(self) -> None:
        """Note the balance before anything was sent. It is evidence for later, so failing to read it stops nothing."""
        message = self._spec.message
        if not message.is_reconcilable or self.report.requests or self.report.in_flight or self.report.stopped:
            return
        balance: Decimal | None = None
        with anyio.CancelScope() as self._reading_balance, suppress(RequestError):
            balance = message.balance(await self._callsavvy.account.summary())
        if balance is not None:
            known = balance
            await self._retrying.write(lambda cursor: sums.note_balance(cursor, self._campaign, known))

    def _make_fan_out(self, context: RunContext, fund: CampaignBudget | None) -> FanOut:
        settings, message, messaging = self._settings, self._spec.message, self._callsavvy.messaging
        self._source = JournalSource(
            context, self._spec, self.report, min(2 * settings.max_in_flight, MOST_AT_HAND), fund
        )
        if self._paused:
            self._source.pause()
        self._fan_out = FanOut(
            lambda chunk: message.send(messaging, chunk.numbers, chunk.text, **settings.request),
            self._source,
            self.report,
            sink=JournalSink(context, message.common, self.report, self._source.is_open, fund),
            workers=settings.max_in_flight,
            rules=StopRules(settings.stop_after),
            on_result=self._hand_on,
        )
        return self._fan_out

    def _stop(self, reason: StopReason) -> None:
        self._stopped = self._stopped or reason
        if self._reading_balance is not None:
            self._reading_balance.cancel()
        if self._fan_out is not None:
            self._fan_out.stop(reason)
        self.report.stopped = self.report.stopped or reason
