"""A request body for aiohttp, which checks its connection before it is written. aiohttp itself does not check."""

from __future__ import annotations

import asyncio
import select
import weakref

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler

from callsavvy_async.transport.backends.proof import OnceBody


class StaleConnectionError(Exception):
    """The connection was closed or holds unexpected bytes. Nothing was written to it."""


class PayloadBody(OnceBody, aiohttp.Payload):
    """The body of one request.

    Attributes:
        is_built: True once aiohttp has built a request with it. Mocks do not build one.
        is_stale: True if its connection was stale.
    """

    _autoclose = True  # nothing to close

    def __init__(self, body: bytes) -> None:
        OnceBody.__init__(self, body)
        aiohttp.Payload.__init__(self, None, content_type="application/json")
        self._size = len(body)
        self.is_built: bool = False
        self.is_stale: bool = False
        self._transport: asyncio.Transport | None = None

    @property
    def size(self) -> int | None:
        """Size in bytes. aiohttp reads it when it builds a request."""
        self.is_built = True
        return self._size

    def give(self) -> bytes:
        """See `OnceBody.give`."""
        self._consumed = True
        return super().give()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the bytes to a connection.

        Raises:
            StaleConnectionError: The connection is stale, so a response on it could belong to another request.
        """
        self._transport = getattr(writer, "transport", None)
        if self._transport is not None and _is_stale(self._transport):
            self.is_stale = True
            self._transport.abort()
            raise StaleConnectionError
        await writer.write(self.give())

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the bytes as text, for a middleware."""
        return self.give().decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - aiohttp's
        """Return the bytes, for a middleware."""
        return self.give()

    def retire_connection(self, *, whole: bool) -> None:
        """Prevent aiohttp from reusing the connection, unless the server has read the whole request.

        Args:
            whole: True if the response's status implies that. Bytes that have not left prove the opposite.
        """
        if self._transport is not None and not (whole and self._transport.get_write_buffer_size() == 0):
            self._transport.abort()


_used: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()
"""Connections that have carried a request."""


def _is_stale(transport: asyncio.Transport) -> bool:
    """Return True if a connection has ended, or holds bytes before its request is written."""
    connection = transport.get_protocol()
    if transport.is_closing() or not isinstance(connection, ResponseHandler) or connection.should_close:
        return True
    is_new = connection not in _used
    _used.add(connection)
    if is_new and transport.get_extra_info("sslcontext") is not None:  # the bytes may be TLS session tickets
        return False
    poll = getattr(select, "poll", None)
    descriptor = transport.get_extra_info("socket").fileno()
    if poll is None:  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poller = poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))
