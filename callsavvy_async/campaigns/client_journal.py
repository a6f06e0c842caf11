"""The journal of a client: an open one that a user brought, or a URL that opens with the client."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from callsavvy_async.campaigns.keys import Keys
from callsavvy_async.campaigns.open_journal import Journal

_BETWEEN_ATTEMPTS = 1e-3
"""Seconds."""


class ClientJournal:
    """Opens a journal once, even for a client that serves several event loops in several threads.

    Args:
        journal: a URL, or an open journal, which stays open.
    """

    def __init__(self, journal: str | Journal) -> None:
        self._given = Journal.open(journal) if isinstance(journal, str) else journal
        self._brought = not isinstance(journal, str)
        self._is_open = False
        self._lock = threading.Lock()

    async def opened(self) -> Keys:
        """Open the journal, if it is not open, and return its keys."""
        if not (self._brought or self._is_open):
            async with self._alone():
                await self._open()
        return self._given.keys

    async def aclose(self) -> None:
        """Close the journal, if this object opened it."""
        if self._is_open:
            async with self._alone():
                await self._close()

    async def _open(self) -> None:
        if not self._is_open:  # another task may have opened it
            await self._given.__aenter__()
            self._is_open = True

    async def _close(self) -> None:
        if self._is_open:  # another task may have closed it
            try:
                await self._given.__aexit__(None, None, None)
            finally:
                self._is_open = False

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        while not self._lock.acquire(blocking=False):  # noqa: ASYNC110 - an event belongs to one event loop
            await anyio.sleep(_BETWEEN_ATTEMPTS)
        try:
            yield
        finally:
            self._lock.release()
