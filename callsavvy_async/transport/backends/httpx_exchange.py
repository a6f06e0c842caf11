"""One exchange of a request for a response over httpx or httpx2, with the proof of `proof.py`.

httpx2 is httpx under another name. So the library is an argument here, a module; types are written as those of httpx.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import anyio

from callsavvy_async.transport.backends import proof
from callsavvy_async.transport.backends.httpx_reuse import HandshakeGuard, retire_unless_clean
from callsavvy_async.wire.failure import FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

if TYPE_CHECKING:
    import httpx


class Sender(Protocol):
    """What sends one httpx request; it is held for one exchange at a time."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Send it, without following redirects and without reading the body of the response."""
        ...


class StreamedBody(proof.OnceBody):
    """A request body as httpx asks for it, but for its class, which each library wants to be its own."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnePiece(self.give)


@functools.cache
def body_of(library: ModuleType) -> type[StreamedBody]:
    """Return the class of request bodies for a library."""
    return type("StreamedBody", (StreamedBody, library.AsyncByteStream), {})


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


async def exchange(
    library: ModuleType,
    send: Sender,
    request: HttpRequest,
    *,
    timeout: float,
    max_bytes: int,
    carrying: httpx.AsyncClient | None = None,
) -> HttpResponse:
    """Run one exchange over a library; see `Backend.exchange`. Cancelling it closes the connection.

    Args:
        library: httpx or httpx2.
        send: sends the request.
        request: what to send.
        timeout: seconds for everything.
        max_bytes: largest body that is read, after decompression.
        carrying: a client whose headers, cookies and query parameters are sent too; those of the request win.
    """
    body = body_of(library)(request.body)

    async def post() -> HttpResponse:
        headers = library.Headers(None if carrying is None else carrying.headers)
        headers.update([*request.template.headers, ("content-length", str(len(request.body)))])
        outgoing: httpx.Request = library.Request(
            "POST",
            _parse_url(library, request.template.url),
            params=(carrying and carrying.params) or None,
            headers=headers,
            cookies=carrying and carrying.cookies,
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
            status, fields = response.status_code, Headers.of(response.headers.raw)
            received = await proof.read_response(status, fields, chunks, max_bytes, decoded=decoded)
            retire_unless_clean(response, whole=status not in proof.NOT_READ_WHOLE)
            return received
        finally:
            with anyio.CancelScope(shield=True):  # it does not wait for the peer
                await response.aclose()

    return await proof.prove(post, functools.partial(_kind, library), lambda _: body.asked, timeout)


@functools.lru_cache(maxsize=256)
def _parse_url(library: ModuleType, url: str) -> httpx.URL:
    return cast("httpx.URL", library.URL(url))


def _kind(library: ModuleType, error: Exception) -> FailureKind:
    if isinstance(error, library.InvalidURL | library.UnsupportedProtocol):
        return FailureKind.BAD_URL
    if isinstance(error, library.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return FailureKind.CERTIFICATE
    if isinstance(error, library.ConnectError | library.ProxyError):
        return FailureKind.CONNECT
    if isinstance(error, library.TimeoutException):
        return FailureKind.TIMEOUT
    if isinstance(error, library.DecodingError):
        return FailureKind.ENCODING
    return FailureKind.CONNECTION_LOST
