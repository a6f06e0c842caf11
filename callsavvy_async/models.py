"""The models of all responses."""

from __future__ import annotations

from callsavvy_async.resources.account import Agent, Category, Department, Summary
from callsavvy_async.resources.calls import Call
from callsavvy_async.resources.chats import Chat, Messenger
from callsavvy_async.resources.contacts import Contact, ContactGroup, CreatedContact, DeletedContact
from callsavvy_async.resources.meetings import CreatedMeeting, Meeting, MeetingDetails
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.resources.tickets import ConversationItem, CreatedReply, CreatedTicket, Ticket
from callsavvy_async.values import (
    CallDirection,
    CallType,
    ChatStatus,
    MeetingStatus,
    OpenEnum,
    Period,
    SendStatus,
    TicketStatus,
)
from callsavvy_async.wire.model import Model, Receipt

__all__ = [
    "Agent",
    "Call",
    "CallDirection",
    "CallType",
    "Category",
    "Chat",
    "ChatStatus",
    "Contact",
    "ContactGroup",
    "ConversationItem",
    "CreatedContact",
    "CreatedMeeting",
    "CreatedReply",
    "CreatedTicket",
    "DeletedContact",
    "Department",
    "Meeting",
    "MeetingDetails",
    "MeetingStatus",
    "Messenger",
    "Model",
    "OpenEnum",
    "Period",
    "Receipt",
    "SendReceipt",
    "SendStatus",
    "Summary",
    "Ticket",
    "TicketStatus",
]
