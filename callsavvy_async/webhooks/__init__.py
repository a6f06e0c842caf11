"""Receive Callsavvy's events. Start with `Webhooks`. `parse` reads a body without I/O.

`callsavvy_async.integrations` holds the integrations for FastAPI and aiohttp.
"""

from __future__ import annotations

from callsavvy_async.webhooks.allow_list import AllowList
from callsavvy_async.webhooks.events import (
    AnsweredEvent,
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    Event,
    NewChat,
    NewTicket,
    Notification,
    TicketEscalated,
    UnknownEvent,
)
from callsavvy_async.webhooks.inbox import event_key
from callsavvy_async.webhooks.parsing import EventTooLargeError, MalformedEventError, parse
from callsavvy_async.webhooks.request import WebhookRequest
from callsavvy_async.webhooks.responses import CallerCard, Reply, SupportsHtml
from callsavvy_async.webhooks.router import Webhooks
from callsavvy_async.webhooks.secrets import new_secret

__all__ = [
    "AllowList",
    "AnsweredEvent",
    "CallSummary",
    "CallerCard",
    "CallerInformation",
    "ChatbotCallback",
    "Event",
    "EventTooLargeError",
    "MalformedEventError",
    "NewChat",
    "NewTicket",
    "Notification",
    "Reply",
    "SupportsHtml",
    "TicketEscalated",
    "UnknownEvent",
    "WebhookRequest",
    "Webhooks",
    "event_key",
    "new_secret",
    "parse",
]
