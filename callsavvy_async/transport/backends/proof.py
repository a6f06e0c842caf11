"""The proof that nothing was sent, for backends that cannot count bytes: nobody asked for the request's body.

Theory. A POST of JSON without its body cannot be acted on. So the body is an object that notes whether it was asked for
its bytes. Never asked: NOT_SENT, whatever broke. Asked: the request may have been done, whatever the exception is called.
The body gives its bytes once, so that nothing underneath, a retrying transport or a middleware, sends a paid message
again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio

from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

KEEPALIVE_EXPIRY = 4.0
"""Seconds that an idle connection is kept: short, so that the race with the server closing it stays rare."""
NOT_READ_WHOLE = frozenset({408, 413})
"""Statuses of a server that has not read the request to its end: its connection is not used again (RFC 9110, 15.5)."""


class BodyGivenTwiceError(Exception):
    """Something underneath tried to send a request again."""


class OnceBody:
    """Gives the bytes of a request's body once, and notes it.

    Attributes:
        asked: whether anybody asked for the bytes.
    """

    def __init__(self, body: bytes) -> None:
        self._bytes = body
        self.asked = False

    def give(self) -> bytes:
        """Give out the bytes. Raises `BodyGivenTwiceError` the second time."""
        if self.asked:
            raise BodyGivenTwiceError
        self.asked = True
        return self._bytes


async def prove(
    post: Callable[[], Awaitable[HttpResponse]],
    explain: Callable[[Exception], FailureKind],
    was_sent: Callable[[Exception | None], bool],
    timeout: float,
) -> HttpResponse:
    """Run an exchange in its time, and say of its failure whether the request may have left.

    Args:
        post: sends the request and reads the response; cancelling it closes the connection.
        explain: names the stage at which an exchange broke with this exception.
        was_sent: whether the request may have left, given what was raised; None when time ran out.
        timeout: seconds for everything.

    Raises:
        ExchangeFailedError: when no whole response came.
    """
    failure: ExchangeFailedError | None = None
    with anyio.move_on_after(timeout):
        try:
            return await post()
        except ExchangeFailedError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - what others wrote raises what it likes; the body is the proof
            detail = describe(error)
            failure = ExchangeFailedError(explain(error), sent=was_sent(error), detail=detail)
            failure.__cause__ = error
    raise failure or ExchangeFailedError(FailureKind.TIMEOUT, sent=was_sent(None), detail=f"{timeout:g} s")


async def read_response(
    status: int, fields: Headers, chunks: AsyncIterator[bytes], max_bytes: int, *, decoded: bool = False
) -> HttpResponse:
    """Read a whole response.

    Args:
        status: of the response.
        fields: its header fields.
        chunks: its body as it comes in.
        max_bytes: the largest body that is read, after decompression.
        decoded: whether the body is decompressed already.

    Raises:
        ExchangeFailedError: it is too large, or its encoding is broken.
    """
    try:
        body = BoundedBody(decoder_for("" if decoded else fields.get("content-encoding", "")), max_bytes)
        # Cancelled where enough is known, not left by `break`: that would leave async generators half-way.
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
    """What a user brought to send with: used as it is, never closed by us.

    Args:
        kind: what it is, for the repr.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def aclose(self) -> None:
        """See `Backend.aclose`; what was borrowed stays open."""

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return False

    def __repr__(self) -> str:
        return f"a borrowed {self._kind}"
