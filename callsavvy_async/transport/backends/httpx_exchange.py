"""One exchange of a request for a response over httpx, with the proof of `proof.py`."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Protocol, cast

import anyio
import httpx

from callsavvy_async.transport.backends import proof
from callsavvy_async.transport.backends.httpx_reuse import HandshakeGuard, retire_unless_clean
from callsavvy_async.wire.failure import FailureKind
from callsavvy_async.wire.fields import Fields
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class Sender(Protocol):
    """What sends one httpx request; it is held for one exchange at a time."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Send it, without following redirects and without reading the body of the response."""
        ...


class StreamedBody(proof.OnceBody, httpx.AsyncByteStream):
    """A request body as httpx asks for it."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnePiece(self.give)


class _OnePiece:
    """One piece. No async generator: trio warns of those that a broken connection leaves half-way."""

    def __init__(self, give: Callable[[], bytes]) -> None:
        self._give = give
        self._given = False

    def __aiter__(self) -> _OnePiece:
        return self

    async def __anext__(self) -> bytes:
        if self._given:
            raise StopAsyncIteration
        self._given = True
        return self._give()


async def exchange(send: Sender, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
    """Run one exchange over httpx; see `Backend.exchange`. Cancelling it closes the connection."""
    body = StreamedBody(request.body)

    async def post() -> HttpResponse:
        outgoing = httpx.Request(
            "POST",
            _parse_url(request.target.url),
            headers=[*request.target.headers, ("content-length", str(len(request.body)))],
            stream=body,
            extensions={
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout),
                "trace": HandshakeGuard(),
            },
        )
        response = await send(outgoing)
        try:
            decoded = response.is_stream_consumed  # the response of a mock, made whole already
            chunks = (
                _OnePiece(lambda: response.content)
                if decoded
                else aiter(cast("httpx.AsyncByteStream", response.stream))
            )
            status, fields = response.status_code, Fields.of(response.headers.raw)
            received = await proof.read_response(status, fields, chunks, max_bytes, decoded=decoded)
            retire_unless_clean(response, whole=status not in proof.NOT_READ_WHOLE)
            return received
        finally:
            with anyio.CancelScope(shield=True):  # it does not wait for the peer
                await response.aclose()

    return await proof.prove(post, _kind, lambda _: body.asked, timeout)


@functools.lru_cache(maxsize=256)
def _parse_url(url: str) -> httpx.URL:
    return httpx.URL(url)


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
