"""One connection, which counts the bytes of each request that have left.

Theory. A request's bytes go to the kernel in order, and asyncio's transport buffers the bytes that the kernel has not
taken. So exactly ``written - buffered`` bytes have left. If that is 0, the server has not seen the request: NOT_SENT is
proved, not guessed from the name of an exception. If the kernel rejects a write, the transport is closing right after it
and took none of its bytes. Only if a connection breaks while the transport holds bytes, the count is lost with the
buffer. Then `bytes_sent` is None, and bytes may have left.

The hot path creates a future for the response, but neither a task nor a timer: `expires_at` serves the pool's alarm.
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
"""Maximum bytes of a read, into one buffer per connection; asyncio allocates 256 KiB for each read otherwise."""
WRITE_SIZE = 65_536
"""Maximum bytes of a write. The next write follows when the kernel has taken them."""

_COUNTS = sys.platform != "win32"
"""False on Windows, whose proactor reports a whole write as buffered until the kernel has taken all of it."""


class ConnectionState(enum.Enum):
    """The state of a connection, with httpcore's names."""

    NEW = "new"
    """Connected, before the first request."""
    ACTIVE = "active"
    """Carries a request whose response is incomplete."""
    IDLE = "idle"
    """Ready for another request, without bytes after the last response."""
    CLOSED = "closed"
    """Not connected yet, or closed."""


_NEW, _ACTIVE, _IDLE, _CLOSED = ConnectionState  # bound once, because enum lookups are slow


class Connection(asyncio.BufferedProtocol):
    """A plaintext connection, used for one request at a time.

    Args:
        loop: Event loop of the connection.
        on_closed: Called once, when it is closed.

    Attributes:
        state: Current state.
        expires_at: Deadline of the exchange, or end of the idle time, on the loop's clock. The pool then calls `expire`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_closed: Callable[[Connection], None]) -> None:
        self.state: ConnectionState = _CLOSED
        self.expires_at: float = 0.0
        self._loop = loop
        self._on_closed = on_closed
        self._transport: asyncio.Transport
        self._buffer = bytearray(READ_SIZE)
        self._view = memoryview(self._buffer)
        self._reader = ResponseReader()
        self._waiter: asyncio.Future[HttpResponse] | None = None
        self._rest = memoryview(b"")
        self._written = 0
        self._paused = False
        self.is_readable: Callable[[], object]
        """Polls for bytes that the event loop has not read yet; on an idle connection they are EOF or unexpected."""

    def send(self, request_bytes: bytes, deadline: float, max_bytes: int) -> asyncio.Future[HttpResponse]:
        """Send a request; return a future of its response. The future may raise `ExchangeFailedError`.

        Args:
            request_bytes: Complete request.
            deadline: Deadline on the loop's clock.
            max_bytes: Maximum size of the decompressed body.
        """
        self.state = _ACTIVE
        self.expires_at = deadline
        waiter: asyncio.Future[HttpResponse] = asyncio.Future(loop=self._loop)
        self._waiter = waiter
        self._reader.expect(max_bytes)
        self._written = 0
        if len(request_bytes) <= WRITE_SIZE and not self._paused:
            self._write(request_bytes)
        else:
            self._rest = memoryview(request_bytes)
            self._push()
        return waiter

    def expire(self) -> None:
        """Close the connection after its exchange timed out or its idle time ended."""
        if self._waiter is None:
            self.close()
        else:
            self._fail(FailureKind.TIMEOUT, "")

    def close(self) -> None:
        """Close the connection at once, even during an exchange. Further calls do nothing."""
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self._waiter = None
            self._transport.abort()
            self._on_closed(self)

    @property
    def bytes_sent(self) -> int | None:
        """Number of the request's bytes that the kernel took; None if unknown."""
        if self._written == 0:
            return 0
        if self._transport.is_closing():  # its buffer is gone; the count is exact only if the buffer was empty
            return None if self._paused else self._written
        sent = max(self._written - self._transport.get_write_buffer_size(), 0)
        return sent if sent or _COUNTS else None

    def _push(self) -> None:
        while self._rest and not self._paused and self.state is _ACTIVE:
            piece, self._rest = self._rest[:WRITE_SIZE], self._rest[WRITE_SIZE:]
            self._write(piece)

    def _write(self, data: bytes | memoryview) -> None:
        """Write bytes of the request to the transport."""
        transport = self._transport
        transport.write(data)
        if transport.is_closing():
            self._lost("the connection was closed before the request was written")
        else:
            self._written += len(data)

    def _settle(self) -> None:
        reader = self._reader
        if reader.response is not None:
            waiter, self._waiter = self._waiter, None
            if waiter is not None and not waiter.done():
                waiter.set_result(reader.response)
            reader.response = None  # an idle connection keeps no body alive
            if (
                not reader.reusable or self._rest or self._paused
            ):  # or the response came before the whole request had left
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
        """Handle the end of the stream."""
        if self._waiter is None:
            self.close()
        else:
            self._reader.end(clean=clean)
            self._settle()

    def _lost(self, detail: str) -> None:
        """Handle a broken connection. A response that arrived before counts (RFC 9112, 9.6)."""
        if self._waiter is not None and self.bytes_sent != 0:
            self._read_remaining()
        if self._waiter is not None:
            self._fail(FailureKind.CONNECTION_LOST, detail)
        self.close()

    def _read_remaining(self) -> None:
        """Read the bytes that arrived before the connection broke, which asyncio discards."""
        sock = self._transport.get_extra_info("socket")
        if not isinstance(sock, TransportSocket) or sock.fileno() < 0:
            return  # not asyncio's own loop, so it has read them already
        try:
            with sock.dup() as copy:
                copy.setblocking(False)
                while self._waiter is not None and (size := copy.recv_into(self.get_buffer(-1))):
                    self.buffer_updated(size)
        except OSError:
            pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # then `_paused` means that it holds bytes
        self.is_readable = _poller(self._transport.get_extra_info("socket").fileno())
        self.state = _NEW

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._waiter is None:
            self.close()  # unexpected bytes: a later response on this connection could belong to another request
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
