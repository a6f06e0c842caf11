"""The proof that a request was not sent, for backends that cannot count bytes: its body was never read.

Theory. A server cannot act on a POST of JSON without its body. So the body is an object that records whether its bytes
were read. If not, the outcome is NOT_SENT, whatever failed. If so, the request may have been processed, whatever the
exception is named. The body returns its bytes only once, so that a retrying transport or a middleware cannot send a
paid message again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio

from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

KEEPALIVE_EXPIRY = 4.0
"""Seconds before an idle connection is closed; short, so that the server rarely closes it first."""
NOT_READ_WHOLE = frozenset({408, 413})
"""Statuses of a server that has not read the whole request, so that its connection is not reused (RFC 9110, 15.5)."""


class BodyReadTwiceError(Exception):
    """The HTTP library or a middleware tried to send a request again."""


class OnceBody:
    """A request body that returns its bytes only once.

    Attributes:
        was_read: True once the bytes were read.
    """

    def __init__(self, body: bytes) -> None:
        self._bytes = body
        self.was_read: bool = False

    def give(self) -> bytes:
        """Return the bytes. Raises `BodyReadTwiceError` the second time."""
        if self.was_read:
            raise BodyReadTwiceError
        self.was_read = True
        return self._bytes


async def prove(
    post: Callable[[], Awaitable[HttpResponse]],
    explain: Callable[[Exception], FailureKind],
    was_sent: Callable[[Exception | None], bool],
    timeout: float,
) -> HttpResponse:
    """Run an exchange within its timeout, and prove for a failure whether the request may have left.

    Args:
        post: Sends the request and reads the response; a cancellation closes the connection.
        explain: Returns the stage of the failure for an exception.
        was_sent: Returns True if the request may have left, given the exception; None for a time-out.
        timeout: Seconds for the whole exchange.

    Raises:
        ExchangeFailedError: The response is missing or incomplete.
    """
    failure: ExchangeFailedError | None = None
    with anyio.move_on_after(timeout):
        try:
            return await post()
        except ExchangeFailedError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything; the body is the proof
            detail = describe(error)
            failure = ExchangeFailedError(explain(error), sent=was_sent(error), detail=detail)
            failure.__cause__ = error
    raise failure or ExchangeFailedError(FailureKind.TIMEOUT, sent=was_sent(None), detail=f"{timeout:g} s")


async def read_response(
    status: int, fields: Headers, chunks: AsyncIterator[bytes], max_bytes: int, *, decoded: bool = False
) -> HttpResponse:
    """Read a complete response.

    Args:
        status: Status of the response.
        fields: Header fields.
        chunks: Chunks of the body.
        max_bytes: Maximum size of the decompressed body.
        decoded: True if the body is already decompressed.

    Raises:
        ExchangeFailedError: The body is too large, or its encoding is broken.
    """
    try:
        body = BoundedBody(decoder_for("" if decoded else fields.get("content-encoding", "")), max_bytes)
        # Cancelled instead of left by `break`, which would not finish async generators.
        with anyio.CancelScope() as reading:
            async for chunk in chunks:
                if not body.take(chunk):
                    reading.cancel()
        content = body.finish()
    except ValueError as error:
        raise ExchangeFailedError(FailureKind.ENCODING, sent=True, detail=f"{status}, {describe(error)}") from error
    if body.full:
        raise ExchangeFailedError(FailureKind.TOO_LARGE, sent=True, detail=f"{status}, more than {max_bytes} bytes")
    return HttpResponse(status, fields, content)


class Borrowed:
    """Base of backends over a user's object, which the SDK never closes.

    Args:
        kind: Name of the object, for the repr.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def aclose(self) -> None:
        """See `Backend.aclose`. The user's object stays open."""

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return False

    def __repr__(self) -> str:
        return f"a borrowed {self._kind}"
