"""Commands that create, reply and delete. A lost response ends them with exit code 3; only deletions are retried."""

from __future__ import annotations

from datetime import datetime

from callsavvy_async.cli.activity import show_one
from callsavvy_async.cli.client import carry_out


def create_ticket(
    *,
    department_id: str,
    sender_name: str,
    sender_email: str,
    subject: str,
    message: str,
) -> None:
    """Open a ticket on behalf of a customer.

    Args:
        department_id: Department of the ticket.
        sender_name: Name of the customer.
        sender_email: E-mail address of the customer.
        subject: Subject of the ticket.
        message: First message of the ticket.
    """
    created = carry_out(
        lambda callsavvy: callsavvy.tickets.create(
            department_id=department_id,
            sender_name=sender_name,
            sender_email=sender_email,
            subject=subject,
            message=message,
        )
    )
    show_one(created)


def reply(
    ticket_id: str,
    /,
    *,
    message: str,
    agent_id: str | None = None,
    replied_at: datetime | None = None,
) -> None:
    """Add a reply to a ticket.

    Args:
        ticket_id: ID of the ticket.
        message: Text of the reply.
        agent_id: Agent that replies (default: the customer replies).
        replied_at: Time of the reply, in the account's time zone (default: now).
    """
    created = carry_out(
        lambda callsavvy: callsavvy.tickets.reply(ticket_id, message=message, agent_id=agent_id, replied_at=replied_at)
    )
    show_one(created)


def create_meeting(title: str, /, *, host_agent_id: str | None = None) -> None:
    """Create a virtual meeting. Anyone with its start link can host it.

    Args:
        title: Title of the meeting.
        host_agent_id: Agent that hosts the meeting.
    """
    show_one(carry_out(lambda callsavvy: callsavvy.meetings.create(title, host_agent_id=host_agent_id)))


def create_contact(
    name: str,
    /,
    *,
    email: str | None = None,
    phone: str | None = None,
    group_id: str | None = None,
) -> None:
    """Create a contact with an e-mail address, a phone number, or both.

    Args:
        name: Name of the person.
        email: E-mail address.
        phone: Phone number in international format.
        group_id: Group of the contact.
    """
    created = carry_out(lambda callsavvy: callsavvy.contacts.create(name, email=email, phone=phone, group_id=group_id))
    show_one(created)


def delete_contact(contact_id: str, /) -> None:
    """Delete a contact. Safe to repeat.

    Args:
        contact_id: ID of the contact.
    """
    show_one(carry_out(lambda callsavvy: callsavvy.contacts.delete(contact_id)))
