"""The lanes as a transport of httpx, for programs that talk to other servers too.

    client = httpx.AsyncClient(transport=LanesTransport())

What differs from httpx's own transport: asyncio only; HTTP/1.1 without proxies; bodies are read whole, both ways, before
they go on; the four time-outs of httpx are one, the longest of them, for the whole exchange. A connection that the
server closed while it was idle is not written to, and `ExchangeFailedError.bytes_sent` of an error's ``__cause__`` says
what had left.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from typing import cast

import httpx

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.transport.backends.lanes import MAX_LANES, LanesBackend
from callsavvy_async.transport.backends.lanes_pool import NoFreeLaneError
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.target import Target

MAX_BYTES = 1 << 30
"""Bytes of the largest answer, as it comes."""

_FRAMING = frozenset({"content-length", "transfer-encoding"})


class LanesTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests over lanes.

    Args:
        verify: True for the certificates that httpx trusts, False for any, or an SSLContext.
        max_lanes: connections to one server at a time.
        max_bytes: bytes of the largest answer, as it comes.
    """

    def __init__(
        self, *, verify: ssl.SSLContext | bool = True, max_lanes: int = MAX_LANES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._backend = LanesBackend(verify=verify, max_lanes=max_lanes)
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`."""
        body = await request.aread()
        target = _target(request)
        image = b"%b%d\r\n\r\n%b" % (target.head, len(body), body)
        try:
            answer = await self._backend.carry(
                (target.secure, target.host, target.port),
                image,
                timeout=_seconds(request),
                max_bytes=self._max_bytes,
                decode=False,
                head_only=request.method == "HEAD",
            )
        except ExchangeFailedError as failure:
            raise _translate(failure, len(image))(str(failure), request=request) from failure
        return httpx.Response(
            answer.status_code,
            headers=list(answer.headers.raw),
            stream=httpx.ByteStream(answer.body),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """See `httpx.AsyncBaseTransport`."""
        await self._backend.aclose()

    def __repr__(self) -> str:
        return f"LanesTransport({self._backend!r})"


def _target(request: httpx.Request) -> Target:
    if request.url.scheme not in {"http", "https"} or request.method == "CONNECT":
        raise httpx.UnsupportedProtocol(f"lanes cannot {request.method} {request.url.scheme}", request=request)
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    kept = tuple((name, value) for name, value in fields if name.lower() not in _FRAMING)
    try:
        return Target.of(str(request.url), kept, method=request.method)
    except InvalidRequestError as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error


def _seconds(request: httpx.Request) -> float:
    given = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
    seconds = [math.inf if value is None else value for value in given.values()]
    return max(seconds, default=math.inf)


def _translate(failure: ExchangeFailedError, size: int) -> type[httpx.TransportError]:
    written = failure.bytes_sent is not None and failure.bytes_sent >= size
    match failure.kind:
        case FailureKind.CONNECT | FailureKind.CERTIFICATE | FailureKind.BAD_URL:
            return httpx.ConnectError
        case FailureKind.TIMEOUT if isinstance(failure, NoFreeLaneError):
            return httpx.PoolTimeout
        case FailureKind.TIMEOUT if not failure.sent:
            return httpx.ConnectTimeout
        case FailureKind.TIMEOUT:
            return httpx.ReadTimeout if written else httpx.WriteTimeout
        case FailureKind.CONNECTION_LOST:
            return httpx.ReadError if written else httpx.WriteError
        case FailureKind.GARBLED:
            return httpx.RemoteProtocolError
        case _:
            return httpx.ReadError
