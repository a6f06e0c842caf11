"""The httpx and httpx2 backends: one transport per connection."""

from __future__ import annotations

import functools
import ssl
from collections import deque
from types import ModuleType

import anyio
import attrs
import httpx

from callsavvy_async.transport.backends.httpx_borrowed import send_through
from callsavvy_async.transport.backends.httpx_exchange import Sender, exchange
from callsavvy_async.transport.backends.mocks import find_patch
from callsavvy_async.transport.backends.per_loop import PerLoop
from callsavvy_async.transport.backends.proof import KEEPALIVE_EXPIRY
from callsavvy_async.transport.native.trust import Trust, Verify
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


@attrs.define
class _Connections:
    """The idle connections of one event loop, each with its expiry, the one used last at the end."""

    idle: deque[tuple[httpx.AsyncHTTPTransport, float]] = attrs.field(
        factory=deque[tuple[httpx.AsyncHTTPTransport, float]]
    )
    closed: bool = False


class HttpxBackend:
    """Sends each request over a transport with a single connection.

    httpx's pool costs several times as much under load, so each transport has a pool of one connection.

    Args:
        verify: See `Verify`.
        proxy: URL of a proxy.
        why: Reason for the choice of this backend, for the repr.
        library: httpx or httpx2.
    """

    def __init__(
        self, *, verify: Verify = True, proxy: str | None = None, why: str = "", library: ModuleType = httpx
    ) -> None:
        self._library = library
        self._trust = Trust(verify)
        self._proxy = proxy
        self._why = why
        self._connections = PerLoop(_Connections, self._close)
        self._open: set[httpx.AsyncHTTPTransport] = set()

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        connections = await self._connections.enter()
        idle = connections.idle
        if idle and type(idle[-1][0]) is self._library.AsyncHTTPTransport:  # no mock has replaced it since
            transport = idle.pop()[0]
        else:
            transport = await self._open_transport(secure=request.template.secure)
        send: Sender = transport.handle_async_request
        if find_patch((self._library.__name__,)) is not None:
            send = functools.partial(self._send_by_client, transport)
        try:
            response = await exchange(self._library, send, request, timeout=timeout, max_bytes=max_bytes)
        except BaseException:  # a cancellation may have cost the transport its only connection slot
            await self._discard(transport)
            raise
        idle.append((transport, anyio.current_time() + KEEPALIVE_EXPIRY))
        while idle and (connections.closed or idle[0][1] < anyio.current_time()):
            await self._discard(idle.popleft()[0])
        return response

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._connections.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return bool(self._open)

    def __repr__(self) -> str:
        return f"{self._library.__name__} ({len(self._open)} open){self._why and ', '}{self._why}"

    async def _close(self, connections: _Connections) -> None:
        connections.closed = True
        while connections.idle:
            await self._discard(connections.idle.pop()[0])

    async def _discard(self, transport: httpx.AsyncHTTPTransport) -> None:
        self._open.discard(transport)
        with anyio.CancelScope(shield=True):
            await transport.aclose()

    async def _open_transport(self, *, secure: bool) -> httpx.AsyncHTTPTransport:
        ssl_context = self._trust.ssl_context
        if secure and ssl_context is None:
            ssl_context = await anyio.to_thread.run_sync(self._trust.load)
        limits = self._library.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY)
        transport: httpx.AsyncHTTPTransport = self._library.AsyncHTTPTransport(
            verify=ssl_context or _PLAIN, proxy=self._proxy, limits=limits
        )
        self._open.add(transport)
        return transport

    async def _send_by_client(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        """Send through an `AsyncClient`, whose mocks then see the request."""
        client = self._library.AsyncClient(transport=transport, trust_env=False)  # not closed: the transport stays open
        return await send_through(client, request, self._library)


_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A placeholder for plaintext connections; httpx would load the system's certificates otherwise."""
