"""Commands that read: balance, lists, single tickets and meetings."""

from __future__ import annotations

from cyclopts import App

from callsavvy_async.cli.client import call
from callsavvy_async.cli.groups import CALLS, CHATS, CONTACTS, MEETINGS, TICKETS
from callsavvy_async.cli.output import Format, show_one, show_rows
from callsavvy_async.models import (
    Agent,
    Call,
    Category,
    Chat,
    Contact,
    ContactGroup,
    ConversationItem,
    Department,
    Meeting,
    Messenger,
    Ticket,
)


def register(app: App) -> None:
    """Add the commands."""
    for group in (TICKETS, CALLS, CHATS, MEETINGS, CONTACTS):
        app.command(group)
    for command in (balance, departments, categories, agents):
        app.command(command)


def balance(*, output: Format = "table") -> None:
    """Show the account's status and balances."""
    show_one(call(lambda callsavvy: callsavvy.account.summary()), output)


def departments(*, output: Format = "table") -> None:
    """List the departments."""
    show_rows(call(lambda callsavvy: callsavvy.account.departments()), Department, output)


def categories(*, output: Format = "table") -> None:
    """List the categories of requests."""
    show_rows(call(lambda callsavvy: callsavvy.account.categories()), Category, output)


def agents(*, output: Format = "table") -> None:
    """List the agents."""
    show_rows(call(lambda callsavvy: callsavvy.account.agents()), Agent, output)


@TICKETS.command(name="list")
def list_tickets(
    *,
    department_id: str | None = None,
    status: str | None = None,
    sender_email: str | None = None,
    period: str | None = None,
    output: Format = "table",
) -> None:
    """List support tickets.

    Args:
        department_id: Only of this department.
        status: Only of this status: New, Closed, "Awaiting Agent Reply", "Awaiting Customer Reply".
        sender_email: Only of this customer.
        period: Only of a month (2026-11), a day (2026-11-22) or a second.
        output: How the list is written.
    """
    rows = call(
        lambda callsavvy: callsavvy.tickets.list(
            department_id=department_id, status=status, sender_email=sender_email, period=period
        )
    )
    show_rows(rows, Ticket, output)


@TICKETS.command
def conversation(ticket_id: str, /, *, output: Format = "table") -> None:
    """Show the messages of a ticket."""
    show_rows(call(lambda callsavvy: callsavvy.tickets.conversation(ticket_id)), ConversationItem, output)


@CALLS.command(name="list")
def list_calls(
    *,
    department_id: str | None = None,
    category_id: str | None = None,
    direction: str | None = None,
    period: str | None = None,
    output: Format = "table",
) -> None:
    """List phone calls.

    Args:
        department_id: Only of this department.
        category_id: Only of this category.
        direction: Incoming or Outgoing.
        period: Only of a month (2026-11), a day (2026-11-22) or a second.
        output: How the list is written.
    """
    rows = call(
        lambda callsavvy: callsavvy.calls.list(
            department_id=department_id, category_id=category_id, direction=direction, period=period
        )
    )
    show_rows(rows, Call, output)


@CHATS.command(name="list")
def list_chats(*, department_id: str | None = None, period: str | None = None, output: Format = "table") -> None:
    """List live chats.

    Args:
        department_id: Only of this department.
        period: Only of a month (2026-11), a day (2026-11-22) or a second.
        output: How the list is written.
    """
    rows = call(lambda callsavvy: callsavvy.chats.list(department_id=department_id, period=period))
    show_rows(rows, Chat, output)


@CHATS.command
def messengers(*, department_id: str | None = None, period: str | None = None, output: Format = "table") -> None:
    """List requests that came by messengers.

    Args:
        department_id: Only of this department.
        period: Only of a month (2026-11), a day (2026-11-22) or a second.
        output: How the list is written.
    """
    rows = call(lambda callsavvy: callsavvy.chats.messengers(department_id=department_id, period=period))
    show_rows(rows, Messenger, output)


@MEETINGS.command(name="list")
def list_meetings(*, period: str | None = None, output: Format = "table") -> None:
    """List virtual meetings.

    Args:
        period: Only of a month (2026-11) or a day (2026-11-22).
        output: How the list is written.
    """
    show_rows(call(lambda callsavvy: callsavvy.meetings.list(period=period)), Meeting, output)


@MEETINGS.command(name="get")
def get_meeting(meeting_id: str, /, *, output: Format = "table") -> None:
    """Show one meeting with its links; whoever has the start link runs the meeting."""
    show_one(call(lambda callsavvy: callsavvy.meetings.get(meeting_id)), output)


@CONTACTS.command(name="list")
def list_contacts(*, group_id: str | None = None, output: Format = "table") -> None:
    """List contacts.

    Args:
        group_id: Only of this group.
        output: How the list is written.
    """
    show_rows(call(lambda callsavvy: callsavvy.contacts.list(group_id=group_id)), Contact, output)


@CONTACTS.command
def groups(*, output: Format = "table") -> None:
    """List the groups of contacts."""
    show_rows(call(lambda callsavvy: callsavvy.contacts.groups()), ContactGroup, output)
