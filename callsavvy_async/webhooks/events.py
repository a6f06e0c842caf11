"""The events that Callsavvy posts to a callback URL (API document: "Callsavvy Webhooks").

Nothing signs them (quirk Q51): every field is a stranger's word until it is confirmed. All but `name` may be None.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

import attrs

from callsavvy_async.values import CallDirection, TicketStatus
from callsavvy_async.wire.model import Model, Wire, private

EventName: TypeAlias = Annotated[str, Wire("event")]


@attrs.frozen(kw_only=True)
class Event(Model):
    """Base of every event."""

    name: EventName = ""
    """The event's name on the wire, there called ``event``."""
    raw: bytes = attrs.field(default=b"", repr=False, eq=False)
    """The body as it came."""


@attrs.frozen(kw_only=True)
class AnsweredEvent(Event):
    """Base of the events whose sender waits for an answer."""


@attrs.frozen(kw_only=True)
class Notification(Event):
    """Base of the events to which "no response is expected"."""


@attrs.frozen(kw_only=True)
class CallerInformation(AnsweredEvent):
    """A call comes in and is being routed: who is calling? (document: "Caller Information")."""

    name: EventName = "callerInformation"
    department_id: Annotated[str | None, Wire("call_department")] = None
    caller_number: str | None = private()
    call_status: str | None = None
    """The document knows ``routing`` only."""


@attrs.frozen(kw_only=True)
class ChatbotCallback(AnsweredEvent):
    """A chatbot or auto-responder wants its text (document: "Chatbot Response Request"); the one form-encoded event."""

    name: EventName = "chatbotCallback"
    original_message: str | None = private()
    """What triggered the bot. Escape it where you echo it as HTML."""
    sender_name: str | None = private()
    bot_name: str | None = None
    department: str | None = None
    """The department's *name*, "if applicable"; the other events send an id (quirk Q53)."""
    business_name: str | None = None


@attrs.frozen(kw_only=True)
class CallSummary(Notification):
    """A call has ended (document: "Call Summary").

    It carries no call id (quirk Q56): find the call in `calls.list` by number and time, and know that it may be another.
    """

    name: EventName = "callSummary"
    direction: Annotated[CallDirection | None, Wire("call_direction")] = None
    department_id: Annotated[str | None, Wire("call_department")] = None
    caller_number: str | None = private()
    """The other party; on an outgoing call presumably the callee (quirk Q56)."""
    recording_url: str | None = private()
    """A stranger's URL: check its host before anything fetches it."""
    duration: Annotated[timedelta | None, Wire("call_duration")] = None
    call_status: str | None = None
    """The document knows ``finished`` only."""


@attrs.frozen(kw_only=True)
class NewTicket(Notification):
    """A support ticket was opened (document: "New Ticket")."""

    name: EventName = "newTicketOpened"
    ticket_id: str = ""
    department_id: Annotated[str | None, Wire("ticket_department")] = None
    subject: Annotated[str | None, Wire("ticket_subject")] = private()
    sender_email: str | None = private()
    status: Annotated[TicketStatus | None, Wire("ticket_status")] = None


@attrs.frozen(kw_only=True)
class TicketEscalated(Notification):
    """A support ticket was escalated (document: "Ticket Escalation")."""

    name: EventName = "ticketEscalated"
    ticket_id: str = ""
    department_id: Annotated[str | None, Wire("ticket_department")] = None
    last_reply_at: Annotated[datetime | None, Wire("last_ticket_reply")] = None
    """Without a zone unless one was given (quirk Q16)."""
    subject: Annotated[str | None, Wire("ticket_subject")] = private()
    sender_email: str | None = private()
    status: Annotated[TicketStatus | None, Wire("ticket_status")] = None


@attrs.frozen(kw_only=True)
class NewChat(Notification):
    """A visitor began a live chat (document: "New Chat"). It carries no chat id (quirk Q56)."""

    name: EventName = "newChat"
    department_id: Annotated[str | None, Wire("chat_department")] = None
    visitor_name: str | None = private()
    visitor_email: str | None = private()
    visitor_phone: str | None = private()


@attrs.frozen(kw_only=True)
class UnknownEvent(Notification):
    """An event that this release does not know; all its fields are in ``extra`` (quirk Q57)."""


EVENT_TYPES: Mapping[str, type[Event]] = {
    kind().name: kind
    for kind in tuple(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind().name
}
"""The type of each documented event by its name on the wire, which is matched exactly."""
