"""A request's body as aiohttp takes it. It looks at the connection before it is written to it, which aiohttp does not."""

from __future__ import annotations

import asyncio
import select
import weakref

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler

from callsavvy_async.transport.backends.proof import OnceBody


class StaleConnectionError(Exception):
    """The connection was closed, or bytes came that no request asked for. Nothing was written to it."""


class PayloadBody(OnceBody, aiohttp.Payload):
    """The body of one request.

    Attributes:
        is_built: whether aiohttp has built a request of it; a mock does not.
        is_stale: whether it was to be written to a connection that is stale.
    """

    _autoclose = True  # there is nothing to close

    def __init__(self, body: bytes) -> None:
        OnceBody.__init__(self, body)
        aiohttp.Payload.__init__(self, None, content_type="application/json")
        self._size = len(body)
        self.is_built = False
        self.is_stale = False
        self._transport: asyncio.Transport | None = None

    @property
    def size(self) -> int | None:
        """How many bytes; aiohttp asks for it when it builds a request."""
        self.is_built = True
        return self._size

    def give(self) -> bytes:
        """See `OnceBody.give`."""
        self._consumed = True
        return super().give()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the bytes to a connection.

        Raises:
            StaleConnectionError: no response on it could be trusted.
        """
        self._transport = getattr(writer, "transport", None)
        if self._transport is not None and _is_stale(self._transport):
            self.is_stale = True
            self._transport.abort()
            raise StaleConnectionError
        await writer.write(self.give())

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Give out the bytes as text, for a middleware."""
        return self.give().decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - aiohttp's
        """Give out the bytes, for a middleware."""
        return self.give()

    def retire_connection(self, *, whole: bool) -> None:
        """Keep aiohttp from using the connection again, unless the server has read the request from it.

        Args:
            whole: whether the response says so. Bytes that have not left say the opposite.
        """
        if self._transport is not None and not (whole and self._transport.get_write_buffer_size() == 0):
            self._transport.abort()


_seen: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()
"""Connections that have carried a request."""


def _is_stale(transport: asyncio.Transport) -> bool:
    """Whether a connection has ended, or holds bytes before its request is written."""
    connection = transport.get_protocol()
    if transport.is_closing() or not isinstance(connection, ResponseHandler) or connection.should_close:
        return True
    is_new = connection not in _seen
    _seen.add(connection)
    if is_new and transport.get_extra_info("sslcontext") is not None:  # may be read from: TLS sends session tickets
        return False
    poll = getattr(select, "poll", None)
    descriptor = transport.get_extra_info("socket").fileno()
    if poll is None:  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poller = poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))
