"""The events that Callsavvy posts to a callback URL (API document: "Callsavvy Webhooks").

Events are not signed: do not trust a field before you have confirmed it with the API. Every field but `name` may be None.
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
    """Name of the event, in the body called ``event``."""
    raw: bytes = attrs.field(default=b"", repr=False, eq=False)
    """The unchanged body."""


@attrs.frozen(kw_only=True)
class AnsweredEvent(Event):
    """Base of the events whose response carries an answer."""


@attrs.frozen(kw_only=True)
class Notification(Event):
    """Base of the events to which "no response is expected"."""


@attrs.frozen(kw_only=True)
class CallerInformation(AnsweredEvent):
    """A call is being routed, and its agent's screen asks about the caller (document: "Caller Information").

    Attributes:
        department_id: Department that is called.
        caller_number: Number of the caller.
        call_status: The document knows ``routing`` only.
    """

    name: EventName = "callerInformation"
    department_id: Annotated[str | None, Wire("call_department")] = None
    caller_number: str | None = private()
    call_status: str | None = None


@attrs.frozen(kw_only=True)
class ChatbotCallback(AnsweredEvent):
    """A chatbot asks for its text (document: "Chatbot Response Request"). The only form-encoded event.

    Attributes:
        original_message: Message that triggered the bot. Escape it before you echo it as HTML.
        sender_name: Name of the sender.
        bot_name: Name of the bot.
        department: *Name* of the department, "if applicable". The other events send its id.
        business_name: Name of the business.
    """

    name: EventName = "chatbotCallback"
    original_message: str | None = private()
    sender_name: str | None = private()
    bot_name: str | None = None
    department: str | None = None
    business_name: str | None = None


@attrs.frozen(kw_only=True)
class CallSummary(Notification):
    """A call has ended (document: "Call Summary").

    The event has no call id. A search in `calls.list` by number and time may find another call.

    Attributes:
        direction: Incoming or outgoing.
        department_id: Department of the call.
        caller_number: The other party. On an outgoing call presumably the callee, which the API does not document.
        recording_url: Untrusted URL: check its host before you fetch it.
        duration: Length of the call.
        call_status: The document knows ``finished`` only.
    """

    name: EventName = "callSummary"
    direction: Annotated[CallDirection | None, Wire("call_direction")] = None
    department_id: Annotated[str | None, Wire("call_department")] = None
    caller_number: str | None = private()
    recording_url: str | None = private()
    duration: Annotated[timedelta | None, Wire("call_duration")] = None
    call_status: str | None = None


@attrs.frozen(kw_only=True)
class NewTicket(Notification):
    """A support ticket was opened (document: "New Ticket").

    Attributes:
        ticket_id: Its id.
        department_id: Its department.
        subject: Its subject.
        sender_email: E-mail address of the customer.
        status: Its status.
    """

    name: EventName = "newTicketOpened"
    ticket_id: str = ""
    department_id: Annotated[str | None, Wire("ticket_department")] = None
    subject: Annotated[str | None, Wire("ticket_subject")] = private()
    sender_email: str | None = private()
    status: Annotated[TicketStatus | None, Wire("ticket_status")] = None


@attrs.frozen(kw_only=True)
class TicketEscalated(Notification):
    """A support ticket was escalated (document: "Ticket Escalation").

    Attributes:
        ticket_id: Its id.
        department_id: Its department.
        last_reply_at: Naive unless a time zone was passed, because the API sends times without a zone.
        subject: Its subject.
        sender_email: E-mail address of the customer.
        status: Its status.
    """

    name: EventName = "ticketEscalated"
    ticket_id: str = ""
    department_id: Annotated[str | None, Wire("ticket_department")] = None
    last_reply_at: Annotated[datetime | None, Wire("last_ticket_reply")] = None
    subject: Annotated[str | None, Wire("ticket_subject")] = private()
    sender_email: str | None = private()
    status: Annotated[TicketStatus | None, Wire("ticket_status")] = None


@attrs.frozen(kw_only=True)
class NewChat(Notification):
    """A visitor began a live chat (document: "New Chat"). The event has no chat id.

    Attributes:
        department_id: Department of the chat.
        visitor_name: Name of the visitor.
        visitor_email: E-mail address of the visitor.
        visitor_phone: Phone number of the visitor.
    """

    name: EventName = "newChat"
    department_id: Annotated[str | None, Wire("chat_department")] = None
    visitor_name: str | None = private()
    visitor_email: str | None = private()
    visitor_phone: str | None = private()


@attrs.frozen(kw_only=True)
class UnknownEvent(Notification):
    """An event that this release does not know. ``extra`` holds all its fields."""


EVENT_TYPES: Mapping[str, type[Event]] = {
    kind().name: kind
    for kind in tuple(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind().name
}
"""Type of each documented event by its name, which must match exactly."""
