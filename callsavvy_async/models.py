"""Every type that a response is read as. Each group of the API lists its own."""
# ruff: noqa: F403 - the lists are checked against the endpoints by tests/contract/test_endpoints.py

from __future__ import annotations

from callsavvy_async.resources import account, calls, chats, contacts, meetings, sends, tickets
from callsavvy_async.resources.account import *
from callsavvy_async.resources.calls import *
from callsavvy_async.resources.chats import *
from callsavvy_async.resources.contacts import *
from callsavvy_async.resources.meetings import *
from callsavvy_async.resources.sends import *
from callsavvy_async.resources.tickets import *
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
    "CallDirection",
    "CallType",
    "ChatStatus",
    "MeetingStatus",
    "Model",
    "OpenEnum",
    "Period",
    "Receipt",
    "SendStatus",
    "TicketStatus",
]
__all__ += account.__all__
__all__ += calls.__all__
__all__ += chats.__all__
__all__ += contacts.__all__
__all__ += meetings.__all__
__all__ += sends.__all__
__all__ += tickets.__all__
