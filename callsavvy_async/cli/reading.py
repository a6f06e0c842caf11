"""Commands that read: the balance, lists, single tickets and meetings."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from callsavvy_async.cli.activity import show_one, show_rows
from callsavvy_async.cli.client import read
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

DepartmentFilter: TypeAlias = Annotated[str | None, Parameter(help="Only this department.")]
"""The option ``--department-id`` of lists."""
Period: TypeAlias = Annotated[str | None, Parameter(help="Only this month (2026-11), day (2026-11-22) or second.")]
"""The option ``--period`` of lists."""


def balance() -> None:
    """Show the account's status and balances."""
    show_one(read(lambda callsavvy: callsavvy.account.summary()))


def departments() -> None:
    """List the departments."""
    show_rows(read(lambda callsavvy: callsavvy.account.departments()), Department)


def categories() -> None:
    """List the categories of customer requests."""
    show_rows(read(lambda callsavvy: callsavvy.account.categories()), Category)


def agents() -> None:
    """List the agents."""
    show_rows(read(lambda callsavvy: callsavvy.account.agents()), Agent)


def list_tickets(
    *,
    department_id: DepartmentFilter = None,
    status: str | None = None,
    sender_email: str | None = None,
    period: Period = None,
) -> None:
    """List support tickets.

    Args:
        department_id: Only this department.
        status: Only this status: New, Closed, "Awaiting Agent Reply", "Awaiting Customer Reply".
        sender_email: Only this customer.
        period: Only this month (2026-11), day (2026-11-22) or second.
    """
    rows = read(
        lambda callsavvy: callsavvy.tickets.list(
            department_id=department_id, status=status, sender_email=sender_email, period=period
        )
    )
    show_rows(rows, Ticket)


def conversation(ticket_id: Annotated[str, Parameter(help="ID of the ticket.")], /) -> None:
    """Show the messages of a ticket."""
    show_rows(read(lambda callsavvy: callsavvy.tickets.conversation(ticket_id)), ConversationItem)


def list_calls(
    *,
    department_id: DepartmentFilter = None,
    category_id: str | None = None,
    direction: str | None = None,
    period: Period = None,
) -> None:
    """List phone calls.

    Args:
        department_id: Only this department.
        category_id: Only this category.
        direction: Incoming or Outgoing.
        period: Only this month (2026-11), day (2026-11-22) or second.
    """
    rows = read(
        lambda callsavvy: callsavvy.calls.list(
            department_id=department_id, category_id=category_id, direction=direction, period=period
        )
    )
    show_rows(rows, Call)


def list_chats(*, department_id: DepartmentFilter = None, period: Period = None) -> None:
    """List live chats."""
    rows = read(lambda callsavvy: callsavvy.chats.list(department_id=department_id, period=period))
    show_rows(rows, Chat)


def messengers(*, department_id: DepartmentFilter = None, period: Period = None) -> None:
    """List customer requests from messengers."""
    rows = read(lambda callsavvy: callsavvy.chats.messengers(department_id=department_id, period=period))
    show_rows(rows, Messenger)


def list_meetings(*, period: Period = None) -> None:
    """List virtual meetings."""
    show_rows(read(lambda callsavvy: callsavvy.meetings.list(period=period)), Meeting)


def get_meeting(meeting_id: Annotated[str, Parameter(help="ID of the meeting.")], /) -> None:
    """Show a meeting with its links. Anyone with the start link can host the meeting."""
    show_one(read(lambda callsavvy: callsavvy.meetings.get(meeting_id)))


def list_contacts(*, group_id: Annotated[str | None, Parameter(help="Only this group.")] = None) -> None:
    """List contacts."""
    show_rows(read(lambda callsavvy: callsavvy.contacts.list(group_id=group_id)), Contact)


def groups() -> None:
    """List the groups of contacts."""
    show_rows(read(lambda callsavvy: callsavvy.contacts.groups()), ContactGroup)
