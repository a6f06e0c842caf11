"""One connection: a request goes out, its response comes in, and every byte that left is counted.

Theory. A request's bytes go to the kernel in order, and the transport's buffer holds those that the kernel has not taken.
So at any moment ``handed - buffered`` bytes have left, exactly; and where that is 0 the server knows nothing of the
request: NOT_SENT is proved, not guessed from the name of an exception. When the kernel refuses a write the transport is
closing right after it, and took nothing of it. Only where a connection dies while the transport still holds bytes is the
number lost with the buffer: then it is None, and something may have left.

The hot path makes no task and no timer: a future for the response, and one time in `expires_at` for the pool's alarm.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import select
import sys
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from typing import cast

from callsavvy_async.transport.native.response import ResponseReader
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.response import HttpResponse

READ_SIZE = 65_536
"""Bytes that are read at once. A buffer of our own: asyncio's costs a quarter of a megabyte at every read."""
WRITE_SIZE = 65_536
"""Bytes that are handed over at once; the next follow when the kernel has taken these."""

_COUNTS = sys.platform != "win32"
"""Windows' proactor keeps a whole write in its books until all of it was taken."""


class ConnectionState(enum.Enum):
    """What a connection does, in httpcore's words."""

    NEW = "new"
    """Connected, and has carried no request."""
    ACTIVE = "active"
    """Carries a request whose response is not complete."""
    IDLE = "idle"
    """Has carried requests, and can carry another: nothing lies behind the last response."""
    CLOSED = "closed"
    """Not connected yet, or closed."""


_NEW, _ACTIVE, _IDLE, _CLOSED = ConnectionState  # bound once: looking a member up costs as much as a request


class Connection(asyncio.BufferedProtocol):
    """A plaintext connection, used for one request at a time.

    Args:
        loop: its event loop.
        on_closed: called once, when it is closed.

    Attributes:
        state: what it does.
        expires_at: when, on the loop's clock, `expire` is to be called: the end of the exchange, or of its idle life.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_closed: Callable[[Connection], None]) -> None:
        self.state = _CLOSED
        self.expires_at = 0.0
        self._loop = loop
        self._on_closed = on_closed
        self._transport: asyncio.Transport
        self._buffer = bytearray(READ_SIZE)
        self._view = memoryview(self._buffer)
        self._reader = ResponseReader()
        self._waiter: asyncio.Future[HttpResponse] | None = None
        self._rest = memoryview(b"")
        self._handed = 0
        self._paused = False
        self.is_readable: Callable[[], object]
        """Asks the kernel for what the event loop has not read yet: on an idle connection that is EOF or garbage."""

    # --------------------------------------------------------------------------------------------------- an exchange

    def send(self, request_bytes: bytes, deadline: float, max_bytes: int) -> asyncio.Future[HttpResponse]:
        """Send a request. The future may raise `ExchangeFailedError`.

        Args:
            request_bytes: the whole request as it goes over the wire.
            deadline: when to give up, on the loop's clock.
            max_bytes: the largest body that is wanted, decoded.
        """
        self.state = _ACTIVE
        self.expires_at = deadline
        waiter: asyncio.Future[HttpResponse] = asyncio.Future(loop=self._loop)
        self._waiter = waiter
        self._reader.expect(max_bytes)
        self._handed = 0
        if len(request_bytes) <= WRITE_SIZE and not self._paused:
            self._write(request_bytes)
        else:
            self._rest = memoryview(request_bytes)
            self._push()
        return waiter

    def expire(self) -> None:
        """Close it: the exchange took too long, or no request had a use for it."""
        if self._waiter is None:
            self.close()
        else:
            self._fail(FailureKind.TIMEOUT, "")

    def close(self) -> None:
        """Close it at once, whatever is under way. May be called again."""
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self._waiter = None
            self._transport.abort()
            self._on_closed(self)

    @property
    def bytes_sent(self) -> int | None:
        """How many of the request's bytes the kernel took."""
        if self._handed == 0:
            return 0
        if self._transport.is_closing():  # the transport emptied its buffer; it is exact if that was empty before
            return None if self._paused else self._handed
        sent = max(self._handed - self._transport.get_write_buffer_size(), 0)
        return sent if sent or _COUNTS else None

    def _push(self) -> None:
        while self._rest and not self._paused and self.state is _ACTIVE:
            piece, self._rest = self._rest[:WRITE_SIZE], self._rest[WRITE_SIZE:]
            self._write(piece)

    def _write(self, data: bytes | memoryview) -> None:
        """Give bytes of the request to the kernel, or what it does not take to the transport."""
        transport = self._transport
        transport.write(data)
        if transport.is_closing():
            self._lost("the connection was closed before the request was written")
        else:
            self._handed += len(data)

    def _settle(self) -> None:
        reader = self._reader
        if reader.response is not None:
            waiter, self._waiter = self._waiter, None
            if waiter is not None and not waiter.done():
                waiter.set_result(reader.response)
            reader.response = None  # an idle connection keeps no body alive
            if not reader.reusable or self._rest or self._paused:  # also: answered before the request was all read
                self.close()
            else:
                self.state = _IDLE
        elif reader.broken is not None:
            self._fail(reader.broken.kind, reader.broken.detail)

    def _fail(self, kind: FailureKind, detail: str) -> None:
        sent = self.bytes_sent
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(ExchangeFailedError(kind, sent=sent != 0, bytes_sent=sent, detail=detail))
        self.close()

    def _end(self, *, clean: bool) -> None:
        """Take note that nothing more comes."""
        if self._waiter is None:
            self.close()
        else:
            self._reader.end(clean=clean)
            self._settle()

    def _lost(self, detail: str) -> None:
        """Take note that the connection broke; a response that arrived before it did counts (RFC 9112, 9.6)."""
        if self._waiter is not None and self.bytes_sent != 0:
            self._read_last_words()
        if self._waiter is not None:
            self._fail(FailureKind.CONNECTION_LOST, detail)
        self.close()

    def _read_last_words(self) -> None:
        """Read what arrived before the connection broke, which asyncio throws away."""
        sock = self._transport.get_extra_info("socket")
        if not isinstance(sock, TransportSocket) or sock.fileno() < 0:
            return  # another loop's: it reads before it notices
        try:
            with sock.dup() as copy:
                copy.setblocking(False)
                while self._waiter is not None and (size := copy.recv_into(self.get_buffer(-1))):
                    self.buffer_updated(size)
        except OSError:
            pass

    # ------------------------------------------------------------------------------------------------ asyncio requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # "paused" is then the same as "holds bytes"
        self.is_readable = _poller(self._transport.get_extra_info("socket").fileno())
        self.state = _NEW

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the protocol's name
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._waiter is None:
            self.close()  # no request is under way: no response on this connection could be trusted any more
        elif self._reader.feed(self._view[:nbytes]):
            self._settle()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._end(clean=True)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._paused = False
        self._push()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._lost(type(exc).__name__ if exc else "closed")


def _poller(descriptor: int) -> Callable[[], object]:
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return functools.partial(poll.poll, 0)
