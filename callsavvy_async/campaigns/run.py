"""A run of a campaign as its user holds it: to await, to stop, to pause."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from decimal import Decimal
from typing import TypedDict

import anyio
import attrs

from callsavvy_async.bulk.chunk_size import ChunkSize
from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.limits import Budget, StopRules
from callsavvy_async.bulk.report import ChunkResult, StopReason
from callsavvy_async.bulk.sender import Sender
from callsavvy_async.campaigns.errors import ChunkLostError, LeaseLostError, NotLoadedError
from callsavvy_async.campaigns.heart import Heart
from callsavvy_async.campaigns.journal import epochs, repository, sql, sums
from callsavvy_async.campaigns.journal.allowance import Allowance
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.owner import Owner, bind
from callsavvy_async.campaigns.journal.patience import Patience
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.purge import refuse_if_purged
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.shift import Shift
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.errors import InvalidRequestError, RequestError
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, Snapshot
from callsavvy_async.resources.account import Account
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.options import CallOptions

MOST_AT_HAND = 32
"""Chunks that a run claims ahead, at most: others may work on the campaign too."""


class RunOptions(TypedDict, total=False):
    """Keyword options that every run takes.

    Attributes:
        max_cost: units that the campaign may spend over all its runs, also those of other processes at the same time;
            estimated before each call, raised to the cost that the API reports. What is sent again is no longer counted
            as perhaps spent.
        deadline: seconds after which nothing more is sent.
        max_in_flight: most calls under way at a time; fewer where the limit, or what the client may have in flight, is less.
        stop_after: calls in a row that fail definitely and alike, after which nothing more is sent.
        on_progress: called with the report after every call.
        on_result: called with what became of each call.
        options: for each call.
    """

    max_cost: Decimal | int | None
    deadline: float | None
    max_in_flight: int
    stop_after: int
    on_progress: Callable[[CampaignReport], object] | None
    on_result: Callable[[ChunkResult], object] | None
    options: CallOptions


@attrs.frozen(kw_only=True)
class RunSettings:
    """How a run goes about it: its options, and what the campaign adds."""

    max_cost: Decimal | None = attrs.field(default=None, converter=attrs.converters.optional(Decimal))
    deadline: float | None = None
    max_in_flight: int = MAX_IN_FLIGHT
    stop_after: int = 10
    on_progress: Callable[[CampaignReport], object] | None = None
    on_result: Callable[[ChunkResult], object] | None = None
    options: CallOptions = attrs.field(factory=CallOptions)
    patience: float = 30.0
    resends: frozenset[str] = frozenset()
    """States whose chunks are made pending before the run begins."""

    def __attrs_post_init__(self) -> None:
        if self.max_in_flight < 1:
            raise InvalidRequestError(
                f"max_in_flight is {self.max_in_flight}; at least one call must be able to start."
            )


class CampaignRun:
    """A run of a campaign: await it for its report. Once.

    ``run.report`` is there at any time. Cancelling sends nothing more and waits for the answers to what is on the wire.
    """

    def __init__(
        self,
        writer: Writer,
        campaign: int,
        *,
        name: str,
        spec: Spec,
        sender: Sender,
        owner: Owner,
        account: Account,
        settings: RunSettings,
        limit: Callable[[], Snapshot],
    ) -> None:
        self.report = CampaignReport(name=name)
        """What became of the recipients so far, over all runs."""
        self._writer = writer
        self._campaign = campaign
        self._spec = spec
        self._sender = sender
        self._owner = owner
        self._account = account
        self._settings = settings
        self._limit = limit
        self._patience = Patience(writer, settings.patience)
        self._reading_balance: anyio.CancelScope | None = None
        self._fan_out: FanOut | None = None
        self._source: JournalSource | None = None
        self._stopped: StopReason | None = None
        self._paused = False
        self._began = False

    def stop(self) -> None:
        """Send nothing more, wait for what is on the wire, and report. What was not sent stays pending."""
        self._stop(StopReason.INTERRUPTED)

    def abandon(self) -> None:
        """Stop without waiting: what is on the wire becomes unknown."""
        self.stop()
        self._patience.seconds = 0
        if self._fan_out is not None:
            self._fan_out.abandon()

    def pause(self) -> None:
        """Start no further calls until `go_on`; those under way go on."""
        self._paused = True
        if self._source is not None:
            self._source.pause()

    def go_on(self) -> None:
        """Continue after `pause`."""
        self._paused = False
        if self._source is not None:
            self._source.go_on()

    def __await__(self) -> Generator[object, None, CampaignReport]:
        return self._run().__await__()

    async def _run(self) -> CampaignReport:
        if self._began:
            raise InvalidRequestError("this run was started before; make a new one.")
        self._began = True
        began = anyio.current_time()
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            if self._settings.deadline is not None:
                group.start_soon(self._stop_at_deadline, self._settings.deadline)
            try:
                await self._send_until_done()
            except Exception as error:  # noqa: BLE001 - raised bare, outside the group
                failure = error
            group.cancel_scope.cancel()
        self.report.elapsed = anyio.current_time() - began
        if failure is not None:
            raise failure
        self.report.check()
        return self.report

    async def _send_until_done(self) -> None:
        """Send under one epoch, and under another one whenever the run was taken for dead and goes on all the same."""
        await self._prepare()
        if self._settings.resends:  # not tried again: what was unknown before is no more what a person looked at
            await self._writer.run(self._make_pending)
        shift, fund = await self._patience.write(self._begin)
        while await self._was_lost(shift, fund):
            self.report.stopped = None
            shift, fund = await self._patience.write(self._begin)

    async def _was_lost(self, shift: Shift, fund: Allowance | None) -> bool:
        """Send under an epoch until there is nothing more to send; True when it was taken for dead before that."""
        fan_out = self._make_fan_out(shift, fund)
        lost = False

        def give_up() -> None:
            nonlocal lost
            lost = True
            fan_out.stop(StopReason.ERROR)

        heart = Heart(self._writer, shift, give_up, self._limit)
        try:
            await self._fan_out_with(heart, fan_out)
        except (ChunkLostError, LeaseLostError):
            lost = lost or await heart.is_lost()
            if not lost:
                raise
        finally:
            with anyio.CancelScope(shield=True):
                await shift.end()
                await shift.write(lambda cursor: sums.fill(cursor, shift.campaign, self.report))
        return lost and self._stopped is None and self.report.stopped in {None, StopReason.ERROR}

    async def _prepare(self) -> None:
        """Read the sums, refuse what cannot be run, and note the balance."""
        await self._patience.write(lambda cursor: bind(cursor, self._campaign, self._owner))
        await self._patience.write(lambda cursor: sums.fill(cursor, self._campaign, self.report))
        self._refuse_if_incomplete()
        if not await self._patience.write(lambda cursor: sums.has_baseline(cursor, self._campaign)):
            await self._note_balance()

    def _make_pending(self, cursor: Cursor) -> None:
        refuse_if_purged(cursor, self._campaign)
        repository.make_pending(cursor, self._campaign, self._settings.resends)

    def _begin(self, cursor: Cursor) -> tuple[Shift, Allowance | None]:
        """Refuse what does not add up, and begin an epoch."""
        cursor.execute(sql.LOCK_CAMPAIGN, (self._campaign,)).fetchone()  # as do a load and a purge
        refuse_if_purged(cursor, self._campaign)
        sums.fill(cursor, self._campaign, self.report)
        self._refuse_if_incomplete()
        self.report.check()
        epoch = epochs.begin(cursor, self._campaign, self._writer.database.lease)
        limit = self._settings.max_cost
        fund = None if limit is None else Allowance.of(cursor, self._campaign, limit)
        return Shift(self._campaign, epoch, self._patience), fund

    def _refuse_if_incomplete(self) -> None:
        if not self.report.input_complete:
            raise NotLoadedError(
                "the recipients of this campaign are not loaded to their end; load them (again), which takes nobody twice."
            )

    async def _note_balance(self) -> None:
        """Note the balance before anything was sent. It is evidence for later, so failing to read it stops nothing."""
        if self._spec.channel != "sms" or self.report.calls or self.report.in_flight or self.report.stopped:
            return
        balance: Decimal | None = None
        with anyio.CancelScope() as self._reading_balance, suppress(RequestError):
            balance = (await self._account.summary()).sms_balance
        if balance is not None:
            known = balance
            await self._patience.write(lambda cursor: sums.note_balance(cursor, self._campaign, known))

    def _make_fan_out(self, shift: Shift, fund: Allowance | None) -> FanOut:
        settings, spec = self._settings, self._spec
        call: CallOptions = {"deadline": None, **settings.options}
        self._source = JournalSource(shift, spec, self.report, min(2 * settings.max_in_flight, MOST_AT_HAND), fund)
        if self._paused:
            self._source.pause()

        async def send(chunk: Chunk) -> SendReceipt:
            return await self._sender.send(chunk, call)

        async def tell(result: ChunkResult) -> None:
            if settings.on_result is not None:
                settings.on_result(result)
            if settings.on_progress is not None:
                settings.on_progress(self.report)

        self._fan_out = FanOut(
            send,
            self._source,
            self.report,
            sink=JournalSink(shift, spec, self.report, self._source.is_open, fund),
            workers=settings.max_in_flight,
            budget=Budget(None, self._sender.estimate),  # the source claims no more than may be spent
            rules=StopRules(settings.stop_after),
            size=ChunkSize(),  # chunks were cut when the recipients were loaded
            on_result=tell,
        )
        return self._fan_out

    async def _fan_out_with(self, heart: Heart, fan_out: FanOut) -> None:
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(heart.beat)
            try:
                await fan_out.run()
            except Exception as error:  # noqa: BLE001 - raised bare, outside the group
                failure = error
            finally:
                heart.stop()
        if failure is not None:
            raise failure

    async def _stop_at_deadline(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._stop(StopReason.DEADLINE)

    def _stop(self, reason: StopReason) -> None:
        self._stopped = self._stopped or reason
        if self._reading_balance is not None:
            self._reading_balance.cancel()
        if self._fan_out is not None:
            self._fan_out.stop(reason)
        self.report.stopped = self.report.stopped or reason
