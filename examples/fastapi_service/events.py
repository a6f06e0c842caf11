"""Handlers of Callsavvy's events."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TypeAlias

from callsavvy_async.webhooks import (
    CallSummary,
    ChatbotCallback,
    NewChat,
    NewTicket,
    Notification,
    TicketEscalated,
    Webhooks,
)

SeenEvents: TypeAlias = Counter[str]
"""Number of received events by name."""


def make_hooks(secret: str, seen: SeenEvents) -> Webhooks:
    """Make the webhooks, which count events and answer the chatbot."""
    hooks = Webhooks(secrets=[secret])
    logging.getLogger("uvicorn.access").addFilter(hooks.log_filter())

    async def count(event: Notification) -> None:
        seen[event.name] += 1

    counted: tuple[type[Notification], ...] = (CallSummary, NewTicket, TicketEscalated, NewChat)
    for event_type in counted:
        hooks.on(event_type)(count)

    @hooks.on(ChatbotCallback)
    async def opening_hours(event: ChatbotCallback) -> str:
        seen[event.name] += 1
        return "We are open from nine to five."

    return hooks
