"""Contacts by phone number, kept in memory: the phone is ringing, so nobody waits for the API."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from callsavvy_async import Callsavvy, InvalidRequestError, RequestError
from callsavvy_async.models import Contact
from callsavvy_async.phone_numbers import normalise_number

log = logging.getLogger("screen_pop")


class ContactIndex:
    """The account's contacts, fetched anew every so often.

    Args:
        client: to fetch them with.
        every: seconds between two fetches; so long a new contact may stay unknown.
    """

    def __init__(self, client: Callsavvy, *, every: float = 300.0) -> None:
        self._client = client
        self._every = every
        self._by_number: dict[str, Contact] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def find(self, number: str | None) -> Contact | None:
        """Return the contact with a number, however it is written; None for a stranger."""
        known = _key(number)
        return None if known is None else self._by_number.get(known)

    async def refresh(self) -> None:
        """Fetch all contacts; of several with one number the first stays. What was known stays when the API fails."""
        try:
            contacts = await self._client.contacts.list()
        except RequestError as error:
            log.warning("contacts not refreshed (%s); %d from before are used", type(error).__name__, len(self))
            return
        fresh: dict[str, Contact] = {}
        for contact in contacts:
            number = _key(contact.phone)
            if number is not None:
                fresh.setdefault(number, contact)
        self._by_number = fresh  # exchanged whole: a lookup never sees half of it

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncGenerator[None]:
        """Refresh while the block runs. It starts with what the API has now, or empty when the API is down."""
        await self.refresh()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_fresh)
            yield
            tasks.cancel_scope.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            await anyio.sleep(self._every)
            await self.refresh()


def _key(number: str | None) -> str | None:
    try:
        return normalise_number(number or "")
    except InvalidRequestError:
        return None
