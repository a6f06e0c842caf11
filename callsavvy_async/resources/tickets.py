"""Support tickets.

API document: "List Support Tickets", "Get Ticket Conversation", "Create New Ticket", "Add Ticket Reply".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Unpack

import attrs

from callsavvy_async.resources.periods import days_between, iterate
from callsavvy_async.resources.text import require_text
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.values import Period, TicketStatus, format_period, format_timestamp, format_word, in_zone
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, Receipt, Wire, private

__all__ = ["ConversationItem", "CreatedReply", "CreatedTicket", "Ticket"]


@attrs.frozen(kw_only=True)
class Ticket(Model):
    """A support ticket.

    Attributes:
        ticket_id: its id.
        created_at: time of its creation, in the account's time.
        status: its status.
        last_reply_at: time of the last reply, in the account's time.
        subject: its subject.
        sender_name: name of the customer.
        sender_email: e-mail address of the customer.
        department_id: its department.
    """

    ticket_id: str = ""
    created_at: Annotated[datetime | None, Wire("datetime")] = None
    status: Annotated[TicketStatus | None, Wire("ticket_status")] = None
    last_reply_at: Annotated[datetime | None, Wire("last_reply")] = None
    subject: str | None = private()
    sender_name: str | None = private()
    sender_email: str | None = private()
    department_id: str | None = None


@attrs.frozen(kw_only=True)
class ConversationItem(Model):
    """One message of a ticket's conversation.

    Attributes:
        conversation_id: its id.
        sent_at: time of the message, in the account's time.
        message: may hold HTML of strangers: never render it unescaped.
        from_agent: true for an agent, False for the customer.
        agent_name: name of the agent.
        files: URLs of attached files.
    """

    conversation_id: str = ""
    sent_at: Annotated[datetime | None, Wire("datetime")] = None
    message: str | None = private()
    from_agent: bool | None = None
    agent_name: str | None = None
    files: tuple[str, ...] = private(default=())


@attrs.frozen(kw_only=True)
class CreatedTicket(Receipt):
    """Response of createTicket. `Tickets.list` has the status, department and time.

    Attributes:
        ticket_id: id of the new ticket.
        subject: subject as stored.
        sender_name: name as stored.
        sender_email: address as stored.
    """

    ticket_id: str | None = None
    subject: str | None = private()
    sender_name: str | None = private()
    sender_email: str | None = private()


@attrs.frozen(kw_only=True)
class CreatedReply(Receipt):
    """Response of replyTicket.

    Attributes:
        conversation_id: id of the new message.
        new_status: status of the ticket after it.
    """

    conversation_id: str | None = None
    new_status: TicketStatus | None = None


LIST_TICKETS = Endpoint("getTickets", tuple[Ticket, ...], Effect.READ)
GET_CONVERSATION = Endpoint("getTicketConversation", tuple[ConversationItem, ...], Effect.READ)
CREATE_TICKET = Endpoint("createTicket", CreatedTicket, Effect.WRITE)
REPLY_TICKET = Endpoint("replyTicket", CreatedReply, Effect.WRITE, clock="response_date")


@private_arguments
class Tickets:
    """Read, open and answer support tickets."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        department_id: str | None = None,
        status: TicketStatus | str | None = None,
        sender_email: str | None = None,
        period: Period | None = None,
        **options: Unpack[RequestOptions],
    ) -> tuple[Ticket, ...]:
        """List tickets. The API has no paging; narrow the list by `period`, or use `iter`.

        Args:
            department_id: only tickets of this department.
            status: only tickets with this status.
            sender_email: only tickets of this sender.
            period: a month, day or time; see `Period`.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            LIST_TICKETS,
            options,
            department_id=department_id,
            ticket_status=None if status is None else format_word(TicketStatus, status, "status"),
            sender_email=sender_email,
            datetime=None if period is None else format_period(period, zone=self._transport.config.timezone),
        )

    def iter(
        self,
        *,
        start: date,
        end: date,
        department_id: str | None = None,
        status: TicketStatus | str | None = None,
        sender_email: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> AsyncIterator[Ticket]:
        """Iterate over the tickets from `start` to `end`, both days included.

        Args:
            start: first day.
            end: last day.
            department_id: only tickets of this department.
            status: only tickets with this status.
            sender_email: only tickets of this sender.
            **options: see `RequestOptions`.
        """

        async def fetch(period: str) -> tuple[Ticket, ...]:
            return await self.list(
                department_id=department_id, status=status, sender_email=sender_email, period=period, **options
            )

        days = days_between(start, end, self._transport.config.timezone)
        return iterate(days, fetch, key=lambda ticket: ticket.ticket_id, moment=lambda ticket: ticket.created_at)

    async def conversation(self, ticket_id: str, **options: Unpack[RequestOptions]) -> tuple[ConversationItem, ...]:
        """Read all messages of a ticket.

        Args:
            ticket_id: id of the ticket.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(GET_CONVERSATION, options, ticket_id=require_text(ticket_id, "ticket_id"))

    async def create(
        self,
        *,
        department_id: str,
        sender_name: str,
        sender_email: str,
        subject: str,
        message: str,
        **options: Unpack[RequestOptions],
    ) -> CreatedTicket:
        """Open a ticket for a customer. The request is not idempotent: a lost response raises `OutcomeUnknownError`.

        Args:
            department_id: id of the department that gets it.
            sender_name: name of the customer.
            sender_email: address of the customer.
            subject: subject of the ticket.
            message: first message of the ticket.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            CREATE_TICKET,
            options,
            department_id=require_text(department_id, "department_id"),
            sender_name=require_text(sender_name, "sender_name"),
            sender_email=require_text(sender_email, "sender_email"),
            ticket_subject=require_text(subject, "subject"),
            ticket_message=require_text(message, "message"),
        )

    async def reply(
        self,
        ticket_id: str,
        *,
        message: str,
        agent_id: str | None = None,
        replied_at: datetime | None = None,
        **options: Unpack[RequestOptions],
    ) -> CreatedReply:
        """Add a reply to a ticket. The request is not idempotent: a lost response raises `OutcomeUnknownError`.

        Args:
            ticket_id: id of the ticket. (The API document wrongly says "department ID".)
            message: the reply.
            agent_id: id of the agent who replies; None if the customer replies.
            replied_at: time of the reply; now when None. An aware time needs the client's `timezone`, to be converted.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            REPLY_TICKET,
            options,
            ticket_id=require_text(ticket_id, "ticket_id"),
            replying_agent_id=agent_id,
            response_date=format_timestamp(self._reply_time(replied_at)),
            response_message=require_text(message, "message"),
        )

    def _reply_time(self, moment: datetime | None) -> datetime:
        zone = self._transport.config.timezone
        return datetime.now(zone) if moment is None else in_zone(moment, zone, "replied_at")
