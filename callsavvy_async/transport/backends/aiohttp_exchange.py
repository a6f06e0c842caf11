"""One exchange over an aiohttp session, with the proof of `proof.py`.

A mock of aiohttp may respond or fail without building a request. Then an unread body proves nothing, and a failure is
NOT_SENT only if its exception implies that.
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
"""`prove` applies the timeout."""
_MAX_STALE = 3
"""Maximum number of stale connections in one exchange. Meanwhile the event loop notices the others."""

_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # DNS, connection refused, TLS, proxy unavailable
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused to CONNECT
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
"""Errors that aiohttp raises before a request has a connection. `ServerDisconnectedError` is not one of them."""


async def exchange(
    session: aiohttp.ClientSession, request: HttpRequest, *, timeout: float, max_bytes: int
) -> HttpResponse:
    """Run one exchange over a session; see `Backend.exchange`. A cancellation closes the connection."""
    body = PayloadBody(request.body)

    async def post() -> HttpResponse:
        nonlocal body
        for _ in range(_MAX_STALE):
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
        return body.was_read or not (body.is_built or error is None or isinstance(error, _BEFORE_SENDING))

    return await prove(post, _kind, was_sent, timeout)


async def _post(
    session: aiohttp.ClientSession, request: HttpRequest, body: PayloadBody, max_bytes: int
) -> HttpResponse | None:
    """Post once; return None if the response belongs to another request, because this one has not left."""
    if session.closed is True:  # a mock's attribute is not True
        raise ExchangeFailedError(FailureKind.CONNECT, sent=False, detail="the aiohttp.ClientSession is closed")
    entry = find_entry(session, ("post", "request"), "aiohttp")  # a patched method must see the request
    send = session.post if entry == "post" else functools.partial(session.request, "POST")
    response = await send(
        request.template.url,
        data=body,
        headers=request.template.headers,
        allow_redirects=False,  # a redirect would disclose the keys
        raise_for_status=False,
        auto_decompress=False,  # `read_response` limits the size
        timeout=_NO_TIMEOUT,
    )
    try:
        if body.is_built and not body.was_read:
            return None
        fields, chunks = Headers.of(response.raw_headers), response.content.iter_any()
        received = await read_response(response.status, fields, chunks, max_bytes)
    finally:
        response.close()  # closes the connection unless the response is complete
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
        return FailureKind.PROTOCOL_ERROR
    return FailureKind.CONNECTION_LOST
