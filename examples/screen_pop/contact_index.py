"""Contacts by phone number, in memory, because a request to the API would take too long while the phone is ringing."""

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
    """The account's contacts, fetched at regular intervals.

    Args:
        client: Client that fetches them.
        every: Seconds between two fetches, and until a new contact is known.
    """

    def __init__(self, client: Callsavvy, *, every: float = 300.0) -> None:
        self._client = client
        self._every = every
        self._by_number: dict[str, Contact] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def find(self, number: str | None) -> Contact | None:
        """Return the contact with a number in any spelling. None if unknown."""
        known = _key(number)
        return None if known is None else self._by_number.get(known)

    async def refresh(self) -> None:
        """Fetch all contacts. The first of several with one number wins. If the API fails, the old contacts stay."""
        try:
            contacts = await self._client.contacts.list()
        except RequestError as error:
            log.warning("contacts not refreshed (%s); the old %d stay in use", type(error).__name__, len(self))
            return
        fresh: dict[str, Contact] = {}
        for contact in contacts:
            number = _key(contact.phone)
            if number is not None:
                fresh.setdefault(number, contact)
        self._by_number = fresh  # one assignment: a lookup never uses a partial index

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncGenerator[None]:
        """Refresh while the block runs. The index starts with the current contacts, or empty if the API is down."""
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
