"""Never executed: every method of the client, its result's type, and wrong uses that a type checker must refuse."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import assert_type

from callsavvy_async import Callsavvy, RawResponse, SendReceipt
from callsavvy_async.models import (
    Agent,
    Call,
    CallDirection,
    Category,
    Chat,
    Contact,
    ContactGroup,
    ConversationItem,
    CreatedContact,
    CreatedMeeting,
    CreatedReply,
    CreatedTicket,
    DeletedContact,
    Department,
    Meeting,
    MeetingDetails,
    Messenger,
    SendStatus,
    Summary,
    Ticket,
    TicketStatus,
)


async def account(callsavvy: Callsavvy) -> None:
    summary = await callsavvy.account.summary()
    assert_type(summary, Summary)
    assert_type(summary.sms_balance, Decimal | None)
    assert_type(await callsavvy.account.departments(timeout=5), tuple[Department, ...])
    assert_type(await callsavvy.account.categories(deadline=None), tuple[Category, ...])
    assert_type(await callsavvy.account.agents(max_retries=0, extra={"undocumented": "1"}), tuple[Agent, ...])


async def tickets(callsavvy: Callsavvy) -> None:
    listed = await callsavvy.tickets.list(department_id="d", status=TicketStatus.NEW, period="2026-11")
    assert_type(listed, tuple[Ticket, ...])
    assert_type(listed[0].created_at, datetime | None)
    await callsavvy.tickets.list(status="New", sender_email="a@example.com", period=date(2026, 11, 22))
    async for ticket in callsavvy.tickets.iter(start=date(2026, 1, 1), end=date(2026, 6, 30)):
        assert_type(ticket, Ticket)
    conversation = await callsavvy.tickets.conversation("t")
    assert_type(conversation, tuple[ConversationItem, ...])
    assert_type(conversation[0].files, tuple[str, ...])
    created = await callsavvy.tickets.create(
        department_id="d", sender_name="A", sender_email="a@example.com", subject="s", message="m"
    )
    assert_type(created, CreatedTicket)
    assert_type(
        await callsavvy.tickets.reply("t", message="m", replied_at=datetime(2026, 11, 22, 8, 15, tzinfo=UTC)),
        CreatedReply,
    )


async def calls_and_chats(callsavvy: Callsavvy) -> None:
    calls = await callsavvy.calls.list(
        direction=CallDirection.INCOMING, category_id="c", period=datetime(2026, 11, 22, tzinfo=UTC)
    )
    assert_type(calls, tuple[Call, ...])
    assert_type(calls[0].duration, timedelta | None)
    async for call in callsavvy.calls.iter(start=date(2026, 1, 1), end=date(2026, 6, 30)):
        assert_type(call, Call)
    assert_type(await callsavvy.chats.list(department_id="d"), tuple[Chat, ...])
    assert_type(await callsavvy.chats.messengers(period="2026-11-22"), tuple[Messenger, ...])
    async for chat in callsavvy.chats.iter(start=date(2026, 1, 1), end=date(2026, 6, 30)):
        assert_type(chat, Chat)


async def messaging(callsavvy: Callsavvy) -> None:
    receipt = await callsavvy.messaging.send_sms("+2348012345678", "Hello", sender_id="Shop")
    assert_type(receipt, SendReceipt)
    assert_type(receipt.cost, Decimal | None)
    assert_type(receipt.status, SendStatus | None)
    assert_type(receipt.failed, bool)
    numbers = (number for number in ("+2348012345678", "+447400123456"))
    assert_type(await callsavvy.messaging.send_whatsapp(numbers, "Hello", channel_uid="c"), SendReceipt)
    await callsavvy.messaging.send_robocall(["+2348012345678"], text="Hello", duration_minutes=1)
    await callsavvy.messaging.send_robocall(
        "+2348012345678", audio_url="https://example.com/a.mp3", duration_minutes=timedelta(seconds=90)
    )


async def meetings_and_contacts(callsavvy: Callsavvy) -> None:
    assert_type(await callsavvy.meetings.list(period="2026-11"), tuple[Meeting, ...])
    async for meeting in callsavvy.meetings.iter(start=date(2026, 1, 1), end=date(2026, 6, 30)):
        assert_type(meeting, Meeting)
    assert_type(await callsavvy.meetings.get("m"), MeetingDetails)
    assert_type(await callsavvy.meetings.create("Title", host_agent_id="a"), CreatedMeeting)
    assert_type(await callsavvy.contacts.list(group_id="g"), tuple[Contact, ...])
    assert_type(await callsavvy.contacts.groups(), tuple[ContactGroup, ...])
    assert_type(await callsavvy.contacts.create("Ada", phone="+2348012345678"), CreatedContact)
    assert_type(await callsavvy.contacts.delete("c"), DeletedContact)


async def raw_response(callsavvy: Callsavvy) -> None:
    raw = await callsavvy.with_raw_response(callsavvy.tickets.list, period="2026-11")
    assert_type(raw, RawResponse[tuple[Ticket, ...]])
    assert_type(raw.value, tuple[Ticket, ...])
    assert_type(raw.status_code, int)
    await callsavvy.with_raw_response(callsavvy.tickets.list, perjod="2026-11")  # type: ignore[call-arg]


async def wrong_uses(callsavvy: Callsavvy, ticket: Ticket) -> None:
    await callsavvy.messaging.send_sms("+2348012345678")  # type: ignore[call-arg]
    await callsavvy.messaging.send_sms("+2348012345678", "Hello", "Shop")  # type: ignore[call-arg]
    await callsavvy.messaging.send_sms(2348012345678, "Hello")  # type: ignore[arg-type]
    await callsavvy.messaging.send_sms("+2348012345678", "Hello", time_out=5)  # type: ignore[call-arg]
    await callsavvy.messaging.send_whatsapp("+2348012345678", "Hello")  # type: ignore[call-arg]
    await callsavvy.messaging.send_robocall("+2348012345678", text="Hello", duration_minutes=1.5)  # type: ignore[arg-type]
    await callsavvy.account.summary(timeout="5")  # type: ignore[arg-type]
    await callsavvy.calls.list(period=202611)  # type: ignore[arg-type]
    callsavvy.tickets.fetch("t")  # type: ignore[attr-defined]
    ticket.subject = "Other"  # type: ignore[misc]
