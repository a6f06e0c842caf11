"""The only module that talks httpx: one exchange of a request for an answer, with proof of what was handed over.

The proof is a body stream that notes whether it was ever asked for its bytes. Never asked: no server can have acted on
the call. Asked: whatever the exception is called, it may have been done. The same stream refuses to be read twice, so
a transport underneath that repeats requests by itself cannot send a paid message again.
"""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Protocol

import anyio
import attrs
import httpx

from callsavvy_async.transport.backends.mocks import find_patch
from callsavvy_async.transport.backends.per_loop import PerLoop
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe
from callsavvy_async.wire.fields import Fields
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse

KEEPALIVE_EXPIRY = 4.0
"""Seconds that an idle connection is kept: short, so that the race with the server closing it stays rare."""


_CONNECT = 0.75
"""The share of the time-out that connecting may take: httpcore closes what it opened when its own clock ends a TLS
handshake, and leaks the socket when it is cancelled there."""


class Sender(Protocol):
    """What sends one httpx request; it is held for one exchange at a time."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Send it, without following redirects and without reading the answer's body."""
        ...


class OnceBody(httpx.AsyncByteStream):
    """A request body that notes that it was asked for, and is given out once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.asked = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnceIterator(self)

    def give(self) -> bytes:
        """Give out the bytes. Raises `httpx.StreamConsumed` the second time."""
        if self.asked:
            raise httpx.StreamConsumed
        self.asked = True
        return self._body


class _OnceIterator:
    """One piece. No async generator: trio warns of those that a broken connection leaves half-way."""

    def __init__(self, body: OnceBody) -> None:
        self._body = body
        self._given = False

    def __aiter__(self) -> _OnceIterator:
        return self

    async def __anext__(self) -> bytes:
        if self._given:
            raise StopAsyncIteration
        self._given = True
        return self._body.give()


async def exchange(send: Sender, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
    """Run one exchange over httpx; see `Backend.exchange`. Cancelling it closes the connection."""
    body = OnceBody(request.body)
    failure: ExchangeFailedError | None = None
    with anyio.move_on_after(timeout):
        try:
            outgoing = httpx.Request(
                "POST",
                _parse_url(request.target.url),
                headers=[*request.target.headers, ("content-length", str(len(request.body)))],
                stream=body,
                extensions={
                    "timeout": {**dict.fromkeys(("read", "write", "pool"), timeout), "connect": _CONNECT * timeout}
                },
            )
            response = await send(outgoing)
            return await _read(response, max_bytes)
        except ExchangeFailedError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - a borrowed transport raises what it likes; the body is the proof
            failure = ExchangeFailedError(_kind(error), sent=body.asked, detail=describe(error))
            failure.__cause__ = error
    raise failure or ExchangeFailedError(FailureKind.TIMEOUT, sent=body.asked, detail=f"{timeout:g} s")


@functools.lru_cache(maxsize=256)
def _parse_url(url: str) -> httpx.URL:
    return httpx.URL(url)


async def _read(response: httpx.Response, max_bytes: int) -> HttpResponse:
    headers = Fields.of(response.headers.raw)
    try:
        decoded = response.is_stream_consumed  # a mock's answer, made whole already
        body = BoundedBody(decoder_for("" if decoded else headers.get("content-encoding", "")), max_bytes)
        # Cancelled where enough is known, not left by `break`: that would leave httpx's iterators half-way.
        with anyio.CancelScope() as reading:
            async for chunk in _raw_chunks(response):
                if not body.take(chunk):
                    reading.cancel()
        content = body.finish()
    except ValueError as error:
        raise ExchangeFailedError(
            FailureKind.ENCODING, sent=True, detail=f"{response.status_code}, {describe(error)}"
        ) from error
    finally:
        with anyio.CancelScope(shield=True):  # closing must happen also when cancelled, and does not wait for the peer
            await response.aclose()
    if body.full:
        raise ExchangeFailedError(
            FailureKind.TOO_LARGE, sent=True, detail=f"{response.status_code}, more than {max_bytes} bytes"
        )
    return HttpResponse(response.status_code, headers, content)


async def _raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
        return
    async for chunk in response.aiter_raw():
        yield chunk


def _kind(error: Exception) -> FailureKind:
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return FailureKind.BAD_URL
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return FailureKind.CERTIFICATE
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return FailureKind.CONNECT
    if isinstance(error, httpx.TimeoutException):
        return FailureKind.TIMEOUT
    if isinstance(error, httpx.DecodingError):
        return FailureKind.ENCODING
    return FailureKind.CONNECTION_LOST


# ---------------------------------------------------------------------------------------------------------- backends


@attrs.define
class _Connections:
    """The idle connections of one event loop, last used first."""

    idle: list[httpx.AsyncHTTPTransport] = attrs.field(factory=list[httpx.AsyncHTTPTransport])
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
        self._open = 0

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        connections = await self._connections.enter()
        idle = connections.idle
        transport = idle.pop() if idle else await self._open_transport(secure=request.target.secure)
        send = transport.handle_async_request if find_patch() is None else functools.partial(_send_by_client, transport)
        try:
            return await exchange(send, request, timeout=timeout, max_bytes=max_bytes)
        finally:
            idle.append(transport)
            if connections.closed:  # while this exchange was under way
                await self._close(connections)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._connections.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return self._open > 0

    def __repr__(self) -> str:
        return f"httpx ({self._open} open){self._why and ', '}{self._why}"

    async def _close(self, connections: _Connections) -> None:
        connections.closed = True
        with anyio.CancelScope(shield=True):
            while connections.idle:
                self._open -= 1
                await connections.idle.pop().aclose()

    async def _open_transport(self, *, secure: bool) -> httpx.AsyncHTTPTransport:
        if secure and self._context is None:
            await anyio.to_thread.run_sync(self._load_certificates)
        self._open += 1
        return httpx.AsyncHTTPTransport(
            verify=self._context or _PLAIN,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY),
        )

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


class BorrowedBackend:
    """A user's own ``httpx.AsyncClient`` or ``httpx.AsyncBaseTransport``: used as it is, never closed by us."""

    def __init__(self, sender: httpx.AsyncClient | httpx.AsyncBaseTransport) -> None:
        self._sender = sender

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        return await exchange(self._send, request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`; what was borrowed stays open."""

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return False

    def __repr__(self) -> str:
        return f"a borrowed {type(self._sender).__name__}"

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self._sender, httpx.AsyncClient):
            return await self._sender.send(request, stream=True, follow_redirects=False)
        return await self._sender.handle_async_request(request)
