"""The application of `inbox.py`: each event of a ticket sends one message. uvicorn runs it in several processes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.campaigns import Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY
from callsavvy_async.webhooks import NewTicket, Webhooks, event_key

SECRET = "4f0c2a7e9b1d4c58a3e6f7b8c9d0e1f2"


def number_of(ticket: int) -> str:
    """Return the recipient of a ticket's message."""
    return f"+23480{ticket:08}"


def application() -> Callable[..., object]:
    """Make the application of one process; `inbox.py` sets the environment."""
    journal = Journal.open(os.environ["INBOX_JOURNAL"])
    hooks = Webhooks(secrets=[SECRET], inbox=journal)
    callsavvy = Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=os.environ["INBOX_API"],
        pacing=Unlimited(),
        journal=journal,
        timeout=10,
    )

    @hooks.on(NewTicket)
    async def thank(event: NewTicket) -> None:
        await callsavvy.messaging.send_sms(number_of(int(event.ticket_id)), "Thanks", key=f"{event_key()}-thanks")

    lifespan = hooks.lifespan

    @asynccontextmanager
    async def opened(app: object = None) -> AsyncIterator[None]:
        async with lifespan(app), callsavvy:
            yield

    hooks.lifespan = opened
    return hooks
