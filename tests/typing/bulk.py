"""Never executed: bulk sends, plans and reports, seen by a type checker."""

from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import assert_type

from callsavvy_async import (
    SMS,
    BulkReport,
    BulkRun,
    Callsavvy,
    ChunkResult,
    ChunkState,
    Message,
    Plan,
    Recipient,
    Robocall,
    SendReceipt,
    SkipReason,
    StopReason,
    WhatsApp,
)


async def rows() -> AsyncIterator[dict[str, str]]:
    """Yield recipients as a database cursor would."""
    yield {"phone": "+2348012345678", "first_name": "Ada"}


async def sends(callsavvy: Callsavvy) -> None:
    run = callsavvy.bulk.send(["+2348012345678"], SMS("Hello", sender_id="Shop"), chunk_size=50, max_in_flight=4)
    assert_type(run, BulkRun)
    assert_type(await run, BulkReport)
    await callsavvy.bulk.sms(rows(), template="Hello {first_name}", max_cost=Decimal(100), suppress={"+447400123456"})
    await callsavvy.bulk.whatsapp((Recipient("+2348012345678") for _ in range(3)), "Hello", channel_uid="c")
    await callsavvy.bulk.robocall(["+2348012345678"], "Hello", duration_minutes=1, timeout=5, deadline=60)
    async for result in callsavvy.bulk.sms(["+2348012345678"], "Hello", on_progress=lambda report: report.accepted):
        assert_type(result, ChunkResult)
        assert_type(result.state, ChunkState)
        assert_type(result.receipt, SendReceipt | None)


def reports(report: BulkReport) -> None:
    assert_type(report.accepted, int)
    assert_type(report.skipped, Counter[SkipReason])
    assert_type(report.stopped, StopReason | None)
    report.to_csv("report.csv")


def plans(callsavvy: Callsavvy) -> None:
    plan = callsavvy.bulk.plan(["+2348012345678"], WhatsApp("Hello", channel_uid="c"), region="NG")
    assert_type(plan, Plan)
    assert_type(plan.affordable, bool | None)


def messages() -> None:
    message = SMS(template="Hi {first_name|friend}", sender_id="Shop")
    assert_type(message.units("Hi"), Decimal)
    assert_type(Robocall("Hello", duration=1).duration, Decimal)
    assert_type(Message.from_json(message.to_json()), Message)
    assert_type(message.without_texts(), SMS)
    SMS(message="Hello")  # type: ignore[call-arg]
    WhatsApp("Hello")  # type: ignore[call-arg]


async def wrong_uses(callsavvy: Callsavvy) -> None:
    await callsavvy.bulk.whatsapp(["+2348012345678"], "Hello")  # type: ignore[call-arg]
    await callsavvy.bulk.sms([2348012345678], "Hello")  # type: ignore[list-item]
    await callsavvy.bulk.sms(["+2348012345678"], "Hello", chunksize=5)  # type: ignore[call-arg]
    await callsavvy.bulk.sms(["+2348012345678"], "Hello", validate="strict")  # type: ignore[arg-type]
    callsavvy.bulk.send(["+2348012345678"], SMS("Hello"), chunksize=5)  # type: ignore[call-arg]
    callsavvy.bulk.plan(["+2348012345678"], SMS("Hello"), dry_run=True)  # type: ignore[call-arg]
    callsavvy.bulk.plan(["+2348012345678"], "Hello")  # type: ignore[arg-type]
