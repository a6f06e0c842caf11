"""httpx behind the limiter: a stock transport for each connection, or what a user brought."""

from __future__ import annotations

import functools
import ssl
import threading
from collections import deque

import anyio
import attrs
import httpx

from callsavvy_async.transport.backends.httpx_exchange import exchange
from callsavvy_async.transport.backends.mocks import find_patch
from callsavvy_async.transport.backends.per_loop import PerLoop
from callsavvy_async.transport.backends.proof import KEEPALIVE_EXPIRY, Borrowed
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


@attrs.define
class _Connections:
    """The idle connections of one event loop, the one used last at the end, each with the time at which it is too old."""

    idle: deque[tuple[httpx.AsyncHTTPTransport, float]] = attrs.field(
        factory=deque[tuple[httpx.AsyncHTTPTransport, float]]
    )
    closed: bool = False


class HttpxBackend:
    """Stock httpx behind the limiter, one transport and one connection to a request at a time.

    httpx's own pool costs several times as much under load, so it is given one connection at a time.

    Args:
        verify: an SSL context, or False to verify nothing.
        proxy: URL of a proxy.
        why: the reason for which it was taken, for the repr.
    """

    def __init__(
        self, *, verify: ssl.SSLContext | bool = True, proxy: str | httpx.Proxy | None = None, why: str = ""
    ) -> None:
        self._verify = verify
        self._proxy = proxy
        self._why = why
        self._loading = threading.Lock()
        self._context: ssl.SSLContext | None = verify if isinstance(verify, ssl.SSLContext) else None
        self._connections = PerLoop(_Connections, self._close)
        self._open: set[httpx.AsyncHTTPTransport] = set()

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        connections = await self._connections.enter()
        idle = connections.idle
        transport = idle.pop()[0] if idle else await self._open_transport(secure=request.target.secure)
        send = transport.handle_async_request if find_patch() is None else functools.partial(_send_by_client, transport)
        try:
            response = await exchange(send, request, timeout=timeout, max_bytes=max_bytes)
        except BaseException:  # a cancelled transport may have lost its connection, and with it its only place for one
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
        return f"httpx ({len(self._open)} open){self._why and ', '}{self._why}"

    async def _close(self, connections: _Connections) -> None:
        connections.closed = True
        while connections.idle:
            await self._discard(connections.idle.pop()[0])

    async def _discard(self, transport: httpx.AsyncHTTPTransport) -> None:
        self._open.discard(transport)
        with anyio.CancelScope(shield=True):
            await transport.aclose()

    async def _open_transport(self, *, secure: bool) -> httpx.AsyncHTTPTransport:
        if secure and self._context is None:
            await anyio.to_thread.run_sync(self._load_certificates)
        transport = httpx.AsyncHTTPTransport(
            verify=self._context or _PLAIN,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY),
        )
        self._open.add(transport)
        return transport

    def _load_certificates(self) -> None:
        # 50 ms: off the event loop, and once, also when the first calls come all at the same time
        with self._loading:
            if self._context is None:
                self._context = httpx.create_ssl_context(self._verify)


async def _send_by_client(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    """Send where mocks of `httpx.AsyncClient` see it too."""
    client = httpx.AsyncClient(transport=transport, trust_env=False)  # not closed: the transport stays
    return await client.send(request, stream=True, follow_redirects=False)


_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Stands in where no TLS is spoken: httpx would load the certificates of the system."""


class BorrowedBackend(Borrowed):
    """A user's own ``httpx.AsyncClient`` or ``httpx.AsyncBaseTransport``."""

    def __init__(self, sender: httpx.AsyncClient | httpx.AsyncBaseTransport) -> None:
        super().__init__(type(sender).__name__)
        self._sender = sender

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        return await exchange(self._send, request, timeout=timeout, max_bytes=max_bytes)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self._sender, httpx.AsyncClient):
            return await self._sender.send(request, stream=True, follow_redirects=False)
        return await self._sender.handle_async_request(request)
