"""A run of a campaign, which its user can await, stop and pause."""

from __future__ import annotations

from collections.abc import Callable, Set as AbstractSet
from contextlib import suppress
from decimal import Decimal
from typing import Unpack

import anyio

from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.options import SendOptions, SendSettings, refuse_unknown_options
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.bulk.run import Run
from callsavvy_async.bulk.stop_rules import StopRules
from callsavvy_async.campaigns import reach_index
from callsavvy_async.campaigns.canary import Canary, canary_of
from callsavvy_async.campaigns.client_protocol import Client
from callsavvy_async.campaigns.command_watch import CommandWatch
from callsavvy_async.campaigns.errors import ChunkLostError, LeaseLostError, NotLoadedError
from callsavvy_async.campaigns.heartbeat import Heartbeat
from callsavvy_async.campaigns.journal import commands, repository, runs, sql, sums
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.commands import Orders
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.frequency import Reach, channel_of
from callsavvy_async.campaigns.journal.owner import Owner, bind
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.limits_file import limits_file
from callsavvy_async.campaigns.purge import refuse_if_purged
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.errors import RequestError
from callsavvy_async.policy.pacer import PacerSnapshot
from callsavvy_async.transport.background import beside

MOST_AT_HAND = 32
"""Largest number of chunks that a run claims ahead, so that other runs get their share."""

_HOLDER = "the caller"


class RunOptions(SendOptions, total=False):
    """Keyword options of a campaign's run, in addition to `SendOptions`.

    Attributes:
        on_progress: called with the report after every request.
    """

    on_progress: Callable[[CampaignReport], object] | None


def run_settings(**options: Unpack[RunOptions]) -> SendSettings:
    """Validate the options of a run.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
    """
    refuse_unknown_options(options, SendSettings, "a run")
    return SendSettings(**options)


class CampaignRun(Run[CampaignReport]):
    """A run of a campaign. Its report covers all runs of the campaign.

    Args:
        writer: writer of the journal.
        campaign: id of the campaign in the journal.
        name: name of the campaign.
        spec: specification of the campaign.
        callsavvy: the client to send with.
        owner: account and server of the client.
        settings: options of the run.
        patience: seconds to wait for an unavailable journal.
        resends: states of the chunks to send again.
    """

    def __init__(
        self,
        writer: Writer,
        campaign: int,
        *,
        name: str,
        spec: Spec,
        callsavvy: Client,
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
        self.given_at: int | None = None
        """Number of the last command when the options were given; None for that at the begin."""
        self.leases_lost: int = 0
        """How often the run lost its lease, and went on under a new number."""

    def abandon(self) -> None:
        """Stop without waiting. Requests in flight become unknown."""
        self.stop()
        self._retrying.seconds = 0
        if self._fan_out is not None:
            self._fan_out.abandon()

    def pause(self) -> None:
        """Start no requests until `go_on`. Requests in flight continue."""
        self._paused = True
        if self._source is not None:
            self._source.pause(_HOLDER)

    def go_on(self) -> None:
        """Continue after `pause`."""
        self._paused = False
        if self._source is not None:
            self._source.go_on(_HOLDER)

    async def _send(self) -> None:
        """Send all pending chunks, under a new run number whenever the lease was lost."""
        await self._prepare()
        path = limits_file()
        if path is not None and not self._owner.simulated:
            self._callsavvy.pacing.remember_in(path)
        if self._resends:  # not retried: a repetition could include chunks that became unknown later
            await self._writer.run(self._make_pending)
        while await self._lost_lease():
            self.leases_lost += 1
            self.report.stopped = None

    async def _lost_lease(self) -> bool:
        """Send until no pending chunk is left. Return True if the run lost its lease and should begin again."""
        if self._spec.settings.not_within is not None:
            await reach_index.complete(self._retrying)
        began = anyio.current_time()
        context, orders, budget, canary = await self._retrying.write(self._begin)
        context.renew_lease(began)
        watch = self._make_watch(context, orders, budget, canary)
        watch.apply(orders, 1)
        fan_out = watch.fan_out
        lost = False

        def on_lost() -> None:
            nonlocal lost
            lost = True
            fan_out.stop(StopReason.ERROR)

        heartbeat = Heartbeat(self._writer, context, on_lost, self._keep_limit)
        try:
            async with beside(heartbeat.beat), beside(watch.watch):
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
                self._callsavvy.pacing.save()
                await context.end()
                await context.write(lambda cursor: sums.fill(cursor, context.campaign, self.report))
        return lost and self._stopped is None and self.report.stopped in {None, StopReason.ERROR}

    def _keep_limit(self) -> PacerSnapshot:
        """Keep the learned limit for the next process, and return it."""
        self._callsavvy.pacing.save()
        return self._callsavvy.pacing.snapshot()

    async def _prepare(self) -> None:
        """Check the owner and the recipients, and store the balance before the first request."""
        await self._retrying.write(lambda cursor: bind(cursor, self._campaign, self._owner))
        await self._retrying.write(lambda cursor: sums.fill(cursor, self._campaign, self.report))
        self._refuse_if_incomplete()
        before, _ = await self._retrying.write(lambda cursor: sums.balance_before(cursor, self._campaign))
        if before is None:
            await self._note_balance()

    def _make_pending(self, cursor: Cursor) -> None:
        refuse_if_purged(cursor, self._campaign)
        repository.make_pending(cursor, self._campaign, self._resends)

    def _begin(self, cursor: Cursor) -> tuple[RunContext, Orders, CampaignBudget | None, Canary | None]:
        """Check the campaign, and begin a run."""
        cursor.execute(sql.LOCK_CAMPAIGN, (self._campaign,)).fetchone()  # excludes loads and purges
        refuse_if_purged(cursor, self._campaign)
        sums.fill(cursor, self._campaign, self.report)
        self._refuse_if_incomplete()
        self.report.check()
        run_id = runs.begin(cursor, self._campaign, self._writer.database.lease)
        orders = commands.current(cursor, self._campaign)
        commands.acknowledge(cursor, self._campaign, run_id, orders)
        given_at = orders.number if self.given_at is None else self.given_at
        limit = orders.max_cost(self._settings.max_cost, given_at)
        budget = None if limit is None else CampaignBudget.of(cursor, self._campaign, limit)
        canary = canary_of(cursor, self._writer, self._campaign, self._spec.settings)
        return RunContext(self._campaign, run_id, self._retrying, self._reach()), orders, budget, canary

    def _reach(self) -> Reach:
        period = self._spec.settings.not_within
        channel = channel_of(self._spec.message.channel, simulated=self._owner.simulated)
        seconds = None if period is None else period.total_seconds()
        return Reach(self._writer.database, self._campaign, channel, seconds)

    def _refuse_if_incomplete(self) -> None:
        if not self.report.input_complete:
            raise NotLoadedError(
                "the recipients of this campaign are not completely loaded; load them again, which adds each number once."
            )

    async def _note_balance(self) -> None:
        """Store the balance before the first request, for `reconcile`. If it cannot be read, the run continues."""
        message = self._spec.message
        if not message.is_reconcilable or self.report.requests or self.report.in_flight or self.report.stopped:
            return
        balance: Decimal | None = None
        with anyio.CancelScope() as self._reading_balance, suppress(RequestError):
            balance = message.balance(await self._callsavvy.account.summary())
        if balance is not None:
            known = balance
            await self._retrying.write(lambda cursor: sums.note_balance(cursor, self._campaign, known))

    def _make_watch(
        self, context: RunContext, orders: Orders, budget: CampaignBudget | None, canary: Canary | None
    ) -> CommandWatch:
        """Make the parts of a run, and the watch that makes them obey commands."""
        settings, message, messaging = self._settings, self._spec.message, self._callsavvy.messaging
        at_a_time = min(2 * settings.max_in_flight, MOST_AT_HAND)
        self._source = JournalSource(context, self._spec, self.report, at_a_time, budget, canary)
        if self._paused:
            self._source.pause(_HOLDER)
        sink = JournalSink(context, message.common, self.report, self._source.is_open, budget)
        self._fan_out = FanOut(
            lambda chunk: message.send(messaging, chunk.numbers, chunk.text, **settings.request),
            self._source,
            self.report,
            sink=sink,
            workers=settings.max_in_flight,
            rules=StopRules(settings.stop_after),
            on_result=self._hand_on,
            run=(context.campaign, context.run_id),
        )
        self.given_at = orders.number if self.given_at is None else self.given_at
        watch = CommandWatch(
            self._writer,
            context,
            self._source,
            sink,
            self._fan_out,
            settings=settings,
            given_at=self.given_at,
            on_stop=self._stop,
            on_pause=self._show_progress,
        )
        sink.on_hold = self._source.on_hold = watch.hold
        return watch

    def _stop(self, reason: StopReason) -> None:
        self._stopped = self._stopped or reason
        if self._reading_balance is not None:
            self._reading_balance.cancel()
        if self._fan_out is not None:
            self._fan_out.stop(reason)
        self.report.stopped = self.report.stopped or reason
