"""Exchanges over aiohttp: a session of the user's, or one of our own for each event loop. asyncio only.

The proof is that of `httpx.py`: a body that notes whether it was asked for its bytes and gives them once, so that a
middleware that repeats requests cannot send a paid message again. Here a failure counts as not sent only where the
exception says so too: a middleware or a mock may answer without ever touching the body.
"""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from callsavvy_async.transport.backends.per_loop import PerLoop, not_on_asyncio
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe
from callsavvy_async.wire.fields import Fields
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse

KEEPALIVE_EXPIRY = 4.0
"""Seconds that an idle connection is kept: short, so that the race with the server closing it stays rare."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The exchange has one clock, and it is ours."""

_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # DNS, refused, TLS, proxy away
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused to CONNECT
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
"""What aiohttp raises before a request has a connection. `ServerDisconnectedError` is not among them."""


class BodyGivenTwiceError(Exception):
    """Something underneath tried to repeat a request."""


class OnceBody(aiohttp.Payload):
    """A request body that notes that it was asked for, and is given out once."""

    _autoclose = True  # there is nothing to close

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body
        self._size = len(body)
        self.asked = False

    def give(self) -> bytes:
        """Give out the bytes. Raises `BodyGivenTwiceError` the second time."""
        if self.asked:
            raise BodyGivenTwiceError
        self.asked = self._consumed = True
        return self._body

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the bytes to a connection."""
        await writer.write(self.give())

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Give out the bytes as text, for a middleware."""
        return self.give().decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - aiohttp's
        """Give out the bytes, for a middleware."""
        return self.give()


async def exchange(
    session: aiohttp.ClientSession, request: HttpRequest, *, timeout: float, max_bytes: int
) -> HttpResponse:
    """Run one exchange over a session; see `Backend.exchange`. Cancelling it closes the connection."""
    body = OnceBody(request.body)
    try:
        async with asyncio.timeout(timeout):
            try:
                return await _post(session, request, body, max_bytes)
            except ExchangeFailedError:
                raise
            except Exception as error:
                sent = body.asked or not isinstance(error, _BEFORE_SENDING)
                raise ExchangeFailedError(_kind(error), sent=sent, detail=describe(error)) from error
    except TimeoutError:
        raise ExchangeFailedError(FailureKind.TIMEOUT, sent=body.asked, detail=f"{timeout:g} s") from None


async def _post(session: aiohttp.ClientSession, request: HttpRequest, body: OnceBody, max_bytes: int) -> HttpResponse:
    if session.closed:
        raise ExchangeFailedError(FailureKind.CONNECT, sent=False, detail="the aiohttp.ClientSession is closed")
    response = await session.post(
        request.target.url,
        data=body,
        headers=request.target.headers,
        allow_redirects=False,  # the keys would travel
        raise_for_status=False,
        auto_decompress=False,  # ours is bounded
        timeout=_NO_TIMEOUT,
    )
    try:
        return await _read(response, max_bytes)
    finally:
        response.close()  # gives the connection up, unless the whole answer came


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> HttpResponse:
    headers = Fields.of(response.raw_headers)
    try:
        body = BoundedBody(decoder_for(headers.get("content-encoding", "")), max_bytes)
        async for chunk in response.content.iter_any():
            if not body.take(chunk):
                break
        content = body.finish()
    except ValueError as error:
        raise ExchangeFailedError(
            FailureKind.ENCODING, sent=True, detail=f"{response.status}, {describe(error)}"
        ) from error
    if body.full:
        raise ExchangeFailedError(
            FailureKind.TOO_LARGE, sent=True, detail=f"{response.status}, more than {max_bytes} bytes"
        )
    return HttpResponse(response.status, headers, content)


def _kind(error: Exception) -> FailureKind:
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return FailureKind.BAD_URL
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ServerFingerprintMismatch):
        return FailureKind.CERTIFICATE
    if isinstance(error, TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(error, _BEFORE_SENDING):
        return FailureKind.CONNECT
    if isinstance(error, aiohttp.ClientResponseError):
        return FailureKind.GARBLED
    return FailureKind.CONNECTION_LOST


# ---------------------------------------------------------------------------------------------------------- backends


class AiohttpBackend:
    """aiohttp behind the limiter, with a session of our own for each event loop, closed with it.

    It stores and sends no cookies, and reads no proxy from the environment.

    Args:
        verify: an SSL context, or False to verify nothing.
        proxy: URL of a proxy.
    """

    def __init__(self, *, verify: ssl.SSLContext | bool = True, proxy: str | None = None) -> None:
        self._verify = verify
        self._proxy = proxy
        self._sessions = PerLoop(self._open_session, self._close_session)
        self._open = 0

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        _require_asyncio()
        return await exchange(await self._sessions.enter(), request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._sessions.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return self._open > 0

    def __repr__(self) -> str:
        return f"aiohttp ({self._open} open)"

    def _open_session(self) -> aiohttp.ClientSession:
        self._open += 1
        return aiohttp.ClientSession(
            # No limit on connections: the limiter stands in front of them.
            connector=aiohttp.TCPConnector(limit=0, ssl=self._verify, keepalive_timeout=KEEPALIVE_EXPIRY),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
        )

    async def _close_session(self, session: aiohttp.ClientSession) -> None:
        self._open -= 1
        await session.close()


class BorrowedSession:
    """A user's own ``aiohttp.ClientSession``: used as it is, never closed by us."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        _require_asyncio()
        return await exchange(self._session, request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`; what was borrowed stays open."""

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return False

    def __repr__(self) -> str:
        return f"a borrowed aiohttp {type(self._session).__name__}"


def _require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise not_on_asyncio("aiohttp") from None
