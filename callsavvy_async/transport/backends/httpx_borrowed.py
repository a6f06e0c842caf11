"""The httpx and httpx2 backends over a user's client or transport."""

from __future__ import annotations

import functools
from types import ModuleType

import httpx

from callsavvy_async.transport.backends.httpx_exchange import exchange
from callsavvy_async.transport.backends.mocks import find_entry
from callsavvy_async.transport.backends.proof import Borrowed
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


async def send_through(client: httpx.AsyncClient, request: httpx.Request, library: ModuleType) -> httpx.Response:
    """Send by the client's outermost patched method, because the patch must see the request."""
    entry = find_entry(client, ("post", "request", "send"), library.__name__)
    if entry == "send":
        return await client.send(request, stream=True, follow_redirects=False)
    post = client.post if entry == "post" else functools.partial(client.request, "POST")
    return await post(
        str(request.url),
        content=request.stream,
        headers=request.headers,
        extensions=request.extensions,
        follow_redirects=False,
    )


class BorrowedClient(Borrowed):
    """Sends over a user's ``AsyncClient`` of httpx or httpx2, with its headers, cookies and query parameters."""

    def __init__(self, client: httpx.AsyncClient, library: ModuleType) -> None:
        super().__init__(f"{library.__name__}.{type(client).__name__}")
        self._client = client
        self._library = library

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        send = functools.partial(send_through, self._client, library=self._library)
        return await exchange(self._library, send, request, timeout=timeout, max_bytes=max_bytes, carrying=self._client)


class BorrowedTransport(Borrowed):
    """Sends over a user's ``AsyncBaseTransport`` of httpx or httpx2."""

    def __init__(self, transport: httpx.AsyncBaseTransport, library: ModuleType = httpx) -> None:
        super().__init__(f"{library.__name__}.{type(transport).__name__}")
        self._transport = transport
        self._library = library

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        send = self._transport.handle_async_request
        return await exchange(self._library, send, request, timeout=timeout, max_bytes=max_bytes)
