"""One exchange over httpx or httpx2, with the proof of `proof.py`.

httpx2 is httpx under another name, so the library's module is an argument here. The type hints name httpx.
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
    """Sends one httpx request."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Send a request, without following redirects and without reading the body of the response."""
        ...


class StreamedBody(proof.OnceBody):
    """A request body as an async iterable. `body_of` derives it from the stream class of each library."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnePiece(self.give)


@functools.cache
def body_of(library: ModuleType) -> type[StreamedBody]:
    """Return the class of request bodies for a library."""
    return type("StreamedBody", (StreamedBody, library.AsyncByteStream), {})


class _OnePiece:
    """An iterator with one item. It is not an async generator, because trio warns about unfinished ones."""

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
    """Run one exchange over a library; see `Backend.exchange`. A cancellation closes the connection.

    Args:
        library: httpx or httpx2.
        send: Sends the request.
        request: Request to send.
        timeout: Seconds for the whole exchange.
        max_bytes: Maximum size of the decompressed body.
        carrying: Client with headers, cookies and query parameters to add; those of the request win.
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
            decoded = response.is_stream_consumed  # a mock's response, already complete
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
            with anyio.CancelScope(shield=True):  # aclose() does not wait for the peer
                await response.aclose()

    return await proof.prove(post, functools.partial(_kind, library), lambda _: body.was_read, timeout)


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
