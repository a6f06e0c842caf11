"""One exchange of a request for a response over a session of aiohttp, with the proof of `proof.py`.

With a difference: a mock of aiohttp may answer, or fail, without ever building a request. Then nothing proves that nothing
was sent, and a failure counts as not sent only where the exception says so.
"""

from __future__ import annotations

import functools

import aiohttp

from callsavvy_async.transport.backends.aiohttp_body import PayloadBody
from callsavvy_async.transport.backends.mocks import find_entry
from callsavvy_async.transport.backends.proof import NOT_READ_WHOLE, prove, read_response
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The exchange has one clock, and it is ours."""
_MOST_STALE = 3
"""Stale connections that one exchange may meet. The event loop finds the others meanwhile, and aiohttp drops them."""

_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # DNS, refused, TLS, proxy away
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused to CONNECT
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
"""What aiohttp raises before a request has a connection. `ServerDisconnectedError` is not among them."""


async def exchange(
    session: aiohttp.ClientSession, request: HttpRequest, *, timeout: float, max_bytes: int
) -> HttpResponse:
    """Run one exchange over a session; see `Backend.exchange`. Cancelling it closes the connection."""
    body = PayloadBody(request.body)

    async def post() -> HttpResponse:
        nonlocal body
        for _ in range(_MOST_STALE):
            try:
                response = await _post(session, request, body, max_bytes)
            except aiohttp.ClientError:
                if not body.is_stale:
                    raise
            else:
                if response is not None:
                    return response
            body = PayloadBody(request.body)
        raise ExchangeFailedError(FailureKind.CONNECTION_LOST, sent=False, detail="every idle connection was stale")

    def was_sent(error: Exception | None) -> bool:
        return body.asked or not (body.is_built or error is None or isinstance(error, _BEFORE_SENDING))

    return await prove(post, _kind, was_sent, timeout)


async def _post(
    session: aiohttp.ClientSession, request: HttpRequest, body: PayloadBody, max_bytes: int
) -> HttpResponse | None:
    """Post once; return None when what came is no response to this request, which has not left."""
    if session.closed is True:  # and no mock's
        raise ExchangeFailedError(FailureKind.CONNECT, sent=False, detail="the aiohttp.ClientSession is closed")
    entry = find_entry(session, ("post", "request"), "aiohttp")  # who patched one of them expects the request there
    send = session.post if entry == "post" else functools.partial(session.request, "POST")
    response = await send(
        request.template.url,
        data=body,
        headers=request.template.headers,
        allow_redirects=False,  # the keys would travel
        raise_for_status=False,
        auto_decompress=False,  # ours is bounded
        timeout=_NO_TIMEOUT,
    )
    try:
        if body.is_built and not body.asked:
            return None
        fields, chunks = Headers.of(response.raw_headers), response.content.iter_any()
        received = await read_response(response.status, fields, chunks, max_bytes)
    finally:
        response.close()  # gives the connection up, unless the whole response came
    body.retire_connection(whole=response.status not in NOT_READ_WHOLE)
    return received


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
