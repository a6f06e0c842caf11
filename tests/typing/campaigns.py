"""Never executed: campaigns in a journal, seen by a type checker."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_type

from callsavvy_async import Callsavvy, CallsavvyError, StopReason
from callsavvy_async.campaigns import (
    Campaign,
    CampaignReport,
    CampaignRun,
    Journal,
    JournalError,
    JournalInUseError,
    Reconciliation,
    ReportRow,
    RunOptions,
    Schedule,
    Spec,
    UnknownChunk,
    Verification,
)


async def rows() -> AsyncIterator[dict[str, str]]:
    """Yield recipients as a database cursor would."""
    yield {"phone": "+2348012345678", "first_name": "Ada"}


def specs() -> None:
    schedule: Schedule = {"send_window": "09:00-18:00", "time_zone": "recipient"}
    assert_type(Campaign.sms("Hello", sender_id="Acme", reconcilable=True, **schedule), Spec)
    assert_type(Campaign.sms(template="Hi {first_name}", start_at=datetime(2026, 11, 30, tzinfo=UTC)), Spec)
    assert_type(Campaign.whatsapp("Hello", channel_uid="c"), Spec)
    assert_type(Campaign.robocall("Hello", duration_minutes=1, **schedule), Spec)


async def life(callsavvy: Callsavvy) -> None:
    async with Journal.open("sqlite:///welcome.db") as journal:
        assert_type(journal, Journal)
        campaign = await journal.campaign("welcome", Campaign.sms("Hello"))
        assert_type(campaign, Campaign)
        assert_type(await campaign.load(rows(), suppress=["+447400123456"]), CampaignReport)
        await campaign.load(["+2348012345678"], validate="shape")
        run = campaign.run(callsavvy, max_cost=Decimal(100), deadline=60, on_progress=print, options={"timeout": 5})
        assert_type(run, CampaignRun)
        report = await run
        assert_type(report, CampaignReport)
        assert_type(report.committed, Decimal)
        assert_type(report.stopped, StopReason | None)
        options: RunOptions = {"max_in_flight": 4}
        await campaign.resume(callsavvy, **options)
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


async def wrong_uses(campaign: Campaign, callsavvy: Callsavvy) -> None:
    Campaign.sms("Hello", start_at="2026-11-30")  # type: ignore[arg-type]
    Campaign.whatsapp("Hello")  # type: ignore[call-arg]
    await campaign.run(callsavvy, max_costs=5)  # type: ignore[call-arg]
    await campaign.resolve(1)  # type: ignore[call-arg]
    await campaign.load([2348012345678])  # type: ignore[list-item]
