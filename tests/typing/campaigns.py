"""Never executed: campaigns in a journal, seen by a type checker."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import assert_type

from callsavvy_async import SMS, Callsavvy, CallsavvyError, ChunkResult, Message, Robocall, StopReason
from callsavvy_async.campaigns import (
    Campaign,
    CampaignOptions,
    CampaignReport,
    CampaignRun,
    Journal,
    JournalError,
    JournalInUseError,
    Reconciliation,
    ReportRow,
    RunOptions,
    UnknownChunk,
    Verification,
)


async def rows() -> AsyncIterator[dict[str, str]]:
    """Yield recipients as a database cursor would."""
    yield {"phone": "+2348012345678", "first_name": "Ada"}


async def messages(journal: Journal) -> None:
    schedule: CampaignOptions = {"send_window": "09:00-18:00", "time_zone": "recipient", "reconcilable": True}
    assert_type(await journal.campaign("a", SMS("Hello", sender_id="Acme"), **schedule), Campaign)
    await journal.campaign("b", SMS(template="Hi {first_name}"), start_at=datetime(2026, 11, 30, tzinfo=UTC))
    await journal.campaign("d", SMS("Hello"), not_within=timedelta(days=7))
    campaign = await journal.campaign("c", Robocall("Hello", duration=1), chunk_size=5)
    assert_type(campaign.message, Message)


async def life(callsavvy: Callsavvy) -> None:
    async with Journal.open("sqlite:///welcome.db") as journal:
        assert_type(journal, Journal)
        campaign = await journal.campaign("welcome", SMS("Hello"))
        assert_type(campaign, Campaign)
        assert_type(await campaign.load(rows(), suppress=["+447400123456"]), CampaignReport)
        await campaign.load(["+2348012345678"], validate="shape")
        run = campaign.run(callsavvy, max_cost=Decimal(100), deadline=60, on_progress=print, timeout=5)
        assert_type(run, CampaignRun)
        report = await run
        assert_type(report, CampaignReport)
        assert_type(report.committed, Decimal)
        assert_type(report.stopped, StopReason | None)
        options: RunOptions = {"max_in_flight": 4}
        await campaign.run(callsavvy, **options)
        async for result in campaign.run(callsavvy):
            assert_type(result, ChunkResult)
        await campaign.resend_unknown(callsavvy, only_not_sent=True, **options)
        assert_type(await journal.campaigns(), tuple[CampaignReport, ...])


async def afterwards(campaign: Campaign, callsavvy: Callsavvy) -> None:
    for chunk in await campaign.unknown():
        assert_type(chunk, UnknownChunk)
        await campaign.resolve(chunk.number, as_sent=True)
    assert_type(await campaign.reconcile(callsavvy, exclusive=True), Reconciliation)
    assert_type(await campaign.verify(), Verification)
    assert_type(await campaign.rows(list), list[ReportRow])
    assert_type(await campaign.rows(count), int)
    await campaign.export("report.parquet")


def count(rows: Iterator[ReportRow]) -> int:
    return sum(row.outcome == "accepted" for row in rows)


def errors(error: JournalInUseError) -> None:
    journal: JournalError = error
    anything: CallsavvyError = journal
    assert_type(str(anything), str)


async def wrong_uses(journal: Journal, campaign: Campaign, callsavvy: Callsavvy) -> None:
    await journal.campaign("d", SMS("Hello"), start_at="2026-11-30")  # type: ignore[arg-type]
    await journal.campaign("d", SMS("Hello"), windows="9-5")  # type: ignore[call-arg]
    await journal.campaign("d", "Hello")  # type: ignore[arg-type]
    await campaign.run(callsavvy, max_costs=5)  # type: ignore[call-arg]
    await campaign.resolve(1)  # type: ignore[call-arg]
    await campaign.load([2348012345678])  # type: ignore[list-item]
