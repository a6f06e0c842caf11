"""Makes a run obey the commands of its campaign, and acknowledge them.

The write-ahead of each request reads the phase itself (`journal/commands.py`), so a pause holds from the moment that it is
committed. The watch applies everything else within `INTERVAL`, and acknowledges.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
import attrs

from callsavvy_async.bulk.fan_out import FanOut
from callsavvy_async.bulk.options import SendSettings
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import commands
from callsavvy_async.campaigns.journal.budget import CampaignBudget
from callsavvy_async.campaigns.journal.commands import Orders, Phase
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.journal_source import JournalSource
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.policy.fixed import parse_rate

INTERVAL = 0.3
"""Seconds between two looks at the commands."""
_HOLDER = "a command"


@attrs.define(eq=False)
class CommandWatch:
    """Watches the commands of a campaign for one run.

    Attributes:
        writer: writer of the journal.
        context: the run.
        source: source of the run's chunks.
        sink: sink of the run's outcomes.
        fan_out: sends the chunks.
        settings: options of the run.
        given_at: number of the last command when these options were given.
        on_stop: called with the reason when a command stops the run.
        on_pause: called when a command pauses the run, and when one continues it.
    """

    writer: Writer
    context: RunContext
    source: JournalSource
    sink: JournalSink
    fan_out: FanOut
    settings: SendSettings
    given_at: int
    on_stop: Callable[[StopReason], object]
    on_pause: Callable[[], object]
    _wanted: anyio.Event = attrs.field(factory=anyio.Event)

    def hold(self) -> None:
        """Start no request, because the write-ahead of one was refused. Look at the commands now."""
        self.source.pause(_HOLDER)
        self._wanted.set()

    async def watch(self) -> None:
        """Apply and acknowledge commands until cancelled."""
        context, acknowledged = self.context, self.given_at
        while True:
            with anyio.move_on_after(INTERVAL):
                await self._wanted.wait()
            self._wanted = anyio.Event()
            with suppress(JournalError):  # during an outage nothing is sent anyway
                orders, runs = await self.writer.run(self._read)
                self.apply(orders, runs)
                is_new = orders.number > acknowledged
                if is_new and orders.phase is not Phase.STOPPED:  # the run acknowledges a stop by ending
                    await self._set_budget(orders)
                    write = partial(
                        commands.acknowledge, campaign=context.campaign, run_id=context.run_id, orders=orders
                    )
                    if await self.writer.run(write):
                        acknowledged = orders.number

    def apply(self, orders: Orders, runs: int) -> None:
        """Obey orders, except for the budget.

        Args:
            orders: the orders.
            runs: number of active runs of the campaign, which share its rate.
        """
        if orders.phase is Phase.STOPPED:
            self.on_stop(orders.stop_reason)
        if orders.canary_over:
            self.source.canary = None
        if orders.phase is Phase.SENDING:
            self.source.go_on(_HOLDER)
        else:
            self.source.pause(_HOLDER)
        paused, before = orders.phase is Phase.PAUSED, self.source.report.paused
        self.source.report.paused = paused
        if paused != before:
            self.on_pause()
        self.source.throttle.interval = 0.0 if orders.rate is None else max(runs, 1) / parse_rate(orders.rate)
        self.fan_out.resize(orders.max_in_flight(self.settings.max_in_flight, self.given_at))

    def _read(self, cursor: Cursor) -> tuple[Orders, int]:
        orders = commands.current(cursor, self.context.campaign)
        return orders, 1 if orders.rate is None else commands.alive(cursor, self.context.campaign)

    async def _set_budget(self, orders: Orders) -> None:
        limit, budget = orders.max_cost(self.settings.max_cost, self.given_at), self.sink.budget
        if limit is not None and (budget is None or budget.limit != limit):
            read = partial(CampaignBudget.of, campaign=self.context.campaign, limit=limit)
            self.source.budget = self.sink.budget = await self.writer.run(read)
