"""Bulk sends in the background of an application, one at a time."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Literal

import anyio
import anyio.to_thread
import attrs

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipient_files import Row
from callsavvy_async.bulk.report import ChunkResult, ChunkState
from callsavvy_async.bulk.run import BulkRun

log = logging.getLogger("service.campaigns")

RATE_WINDOW = 5.0
"""Seconds over which the displayed rate is averaged."""


class CampaignUnderWayError(Exception):
    """Another campaign is running."""


@attrs.define(eq=False)
class Campaign:
    """One bulk send and its figures."""

    plan: Plan
    run: BulkRun = attrs.field(init=False)
    state: Literal["running", "stopping", "ended"] = "running"
    unknown_requests: int = 0
    began: float = attrs.field(factory=anyio.current_time)
    _latest: deque[tuple[float, int]] = attrs.field(factory=deque[tuple[float, int]])

    def count(self, result: ChunkResult) -> None:
        """Count the result of one request."""
        self.unknown_requests += result.state is ChunkState.UNKNOWN
        self._latest.append((anyio.current_time(), len(result.recipients)))

    def snapshot(self) -> dict[str, object]:
        """Return all figures as JSON values. The six counts always add up to ``total``."""
        report, now = self.run.report, anyio.current_time()
        settled = report.accepted + report.failed + report.rejected + report.unknown + report.skipped.total()
        return {
            **report.as_dict(),
            "state": self.state,
            "total": self.plan.given,
            "pending": self.plan.given - settled,
            "skipped": report.skipped.total(),
            "unknown_requests": self.unknown_requests,
            "rate": self._rate(now),
            "elapsed": report.elapsed if self.state == "ended" else now - self.began,
            "estimated_cost": str(self.plan.estimated_units),
        }

    def _rate(self, now: float) -> float:
        """Return the recent rate in recipients per second. After the end, return the average of the whole run."""
        if self.state == "ended":
            report = self.run.report
            sent = report.accepted + report.failed + report.rejected + report.unknown
            return sent / report.elapsed if report.elapsed else 0.0
        while self._latest and self._latest[0][0] < now - RATE_WINDOW:
            self._latest.popleft()
        return sum(count for _, count in self._latest) / max(min(RATE_WINDOW, now - self.began), 1.0)


class Campaigns:
    """Starts campaigns, and delays the application's shutdown until their requests in flight have ended."""

    def __init__(self, client: Callsavvy) -> None:
        self._client = client
        self.latest: Campaign | None = None
        """The running campaign, or the last one."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run campaigns while the block runs. At its end stop them, and wait for requests in flight."""
        async with anyio.create_task_group() as self._tasks:
            yield
            self.stop()

    async def start(self, message: str, rows: Sequence[Row], *, max_cost: Decimal | None = None) -> None:
        """Start to send a message to all recipients in a list.

        Raises:
            InvalidRequestError: The message or the list is invalid. No message was sent.
            CampaignUnderWayError: Another campaign is running.
        """
        text = SMS(message)
        plan = await anyio.to_thread.run_sync(self._client.bulk.plan, rows, text)
        if self.latest is not None and self.latest.state != "ended":
            raise CampaignUnderWayError
        campaign = Campaign(plan)
        campaign.run = self._client.bulk.send(
            rows, text, chunk_size=20, max_in_flight=4, max_cost=max_cost, on_result=campaign.count
        )
        self.latest = campaign
        self._tasks.start_soon(self._send, campaign)

    def stop(self) -> None:
        """Stop the campaign. Requests in flight still end, so that their outcomes are known."""
        if self.latest is not None and self.latest.state == "running":
            self.latest.state = "stopping"
            self.latest.run.stop()

    @staticmethod
    async def _send(campaign: Campaign) -> None:
        try:
            await campaign.run
        except Exception as error:  # noqa: BLE001 - the application must survive a failed campaign
            log.error("campaign failed with %s", type(error).__name__)  # noqa: TRY400 - texts may hold personal data
        finally:
            campaign.state = "ended"
            log.info("campaign ended: %s", json.dumps(campaign.run.report.as_dict()))
