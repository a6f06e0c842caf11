"""Commands that create, answer and delete. None is repeated when its answer is lost (exit code 3)."""

from __future__ import annotations

from datetime import datetime

from cyclopts import App

from callsavvy_async.cli.books import receive
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.groups import CONTACTS, MEETINGS, TICKETS
from callsavvy_async.cli.output import Format


def register(_app: App) -> None:
    """Add the commands: they belong to groups that are added already."""


@TICKETS.command(name="create")
def create_ticket(
    *,
    department_id: str,
    sender_name: str,
    sender_email: str,
    subject: str,
    message: str,
    output: Format = "table",
) -> None:
    """Open a ticket on behalf of a customer.

    Args:
        department_id: The department that it goes to.
        sender_name: The customer's name.
        sender_email: The customer's address.
        subject: What it is about.
        message: Its first message.
        output: How the answer is written.
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
    receive(created, output)


@TICKETS.command
def reply(
    ticket_id: str,
    /,
    *,
    message: str,
    agent_id: str | None = None,
    replied_at: datetime | None = None,
    output: Format = "table",
) -> None:
    """Add a reply to a ticket.

    Args:
        ticket_id: Of the ticket.
        message: The reply.
        agent_id: The agent who replies; the customer does unless given.
        replied_at: When, in the account's zone; now unless given.
        output: How the answer is written.
    """
    created = carry_out(
        lambda callsavvy: callsavvy.tickets.reply(ticket_id, message=message, agent_id=agent_id, replied_at=replied_at)
    )
    receive(created, output)


@MEETINGS.command(name="create")
def create_meeting(title: str, /, *, host_agent_id: str | None = None, output: Format = "table") -> None:
    """Create a virtual meeting; whoever has the start link runs it.

    Args:
        title: Its caption.
        host_agent_id: The agent who gets the host's rights.
        output: How the answer is written.
    """
    receive(carry_out(lambda callsavvy: callsavvy.meetings.create(title, host_agent_id=host_agent_id)), output)


@CONTACTS.command(name="create")
def create_contact(
    name: str,
    /,
    *,
    email: str | None = None,
    phone: str | None = None,
    group_id: str | None = None,
    output: Format = "table",
) -> None:
    """Create a contact with an e-mail address, a phone number, or both.

    Args:
        name: Of the person.
        email: Of the person.
        phone: Of the person, in international format.
        group_id: The group that it belongs to.
        output: How the answer is written.
    """
    created = carry_out(lambda callsavvy: callsavvy.contacts.create(name, email=email, phone=phone, group_id=group_id))
    receive(created, output)


@CONTACTS.command(name="delete")
def delete_contact(contact_id: str, /, *, output: Format = "table") -> None:
    """Delete a contact. Harmless to repeat.

    Args:
        contact_id: Of the contact.
        output: How the answer is written.
    """
    receive(carry_out(lambda callsavvy: callsavvy.contacts.delete(contact_id)), output)
