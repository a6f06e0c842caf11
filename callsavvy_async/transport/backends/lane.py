"""One connection: a request out, its answer in, and every byte that left counted.

Theory. A request's bytes go to the kernel in order, and the transport's buffer holds those that the kernel has not taken.
So at any moment ``handed - buffered`` bytes have left, exactly; and where that is 0 the server knows nothing of the
request: NOT_SENT is proved, not guessed from the name of an exception. When the kernel refuses a write the transport is
closing right after it, and took nothing of it. Only where a connection dies while the transport still holds bytes is the
number lost with the buffer: then it is None, and something may have left.

The hot path makes no task and no timer: a future for the answer, and one time in `due` for the pool's alarm to look at.
"""

from __future__ import annotations

import asyncio
import functools
import select
import sys
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from typing import cast

from callsavvy_async.transport.backends.answer import AnswerReader
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.response import HttpResponse

READ_SIZE = 65_536
"""Bytes that are read at once. A buffer of our own: asyncio's costs a quarter of a megabyte at every read."""
WRITE_SIZE = 65_536
"""Bytes that are handed over at once; the next are when the kernel has taken these."""

_COUNTS = sys.platform != "win32"
"""Windows' proactor keeps a whole write in its books until all of it was taken."""


class Lane(asyncio.BufferedProtocol):
    """A plaintext connection, used for one exchange at a time.

    Args:
        loop: its event loop.
        on_closed: called once, when it is closed.

    Attributes:
        due: when, on the loop's clock, `expire` is to be called: the end of the exchange, or of its idle life.
        is_open: whether it can be used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_closed: Callable[[Lane], None]) -> None:
        self.due = 0.0
        self.is_open = False
        self._loop = loop
        self._on_closed = on_closed
        self._transport: asyncio.Transport
        self._buffer = bytearray(READ_SIZE)
        self._view = memoryview(self._buffer)
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[HttpResponse] | None = None
        self._rest = memoryview(b"")
        self._handed = 0
        self._paused = False
        self.has_news: Callable[[], object]
        """Asks the kernel for what the event loop has not seen yet: on an idle connection that is EOF or garbage."""

    # --------------------------------------------------------------------------------------------------- an exchange

    def start(
        self, image: bytes, due: float, max_bytes: int, *, decode: bool = True, head_only: bool = False
    ) -> asyncio.Future[HttpResponse]:
        """Send a request. See `AnswerReader.expect`; the future may raise `ExchangeFailedError`.

        Args:
            image: the whole request as it goes over the wire.
            due: when to give up, on the loop's clock.
            max_bytes: the largest body that is wanted.
            decode: whether to undo the content encoding.
            head_only: whether the request is a HEAD.
        """
        self.due = due
        waiter: asyncio.Future[HttpResponse] = asyncio.Future(loop=self._loop)
        self._waiter = waiter
        self._reader.expect(max_bytes, decode=decode, head_only=head_only)
        self._handed = 0
        if len(image) <= WRITE_SIZE and not self._paused:
            self._write(image)
        else:
            self._rest = memoryview(image)
            self._push()
        return waiter

    def expire(self) -> None:
        """Close it: the exchange took too long, or nobody had a use for it."""
        if self._waiter is None:
            self.close()
        else:
            self._fail(FailureKind.TIMEOUT, "")

    def close(self) -> None:
        """Close it at once, whatever is under way. May be called again."""
        if self.is_open:
            self.is_open = False
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
        while self._rest and not self._paused and self.is_open:
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
        if reader.answer is not None:
            waiter, self._waiter = self._waiter, None
            if waiter is not None and not waiter.done():
                waiter.set_result(reader.answer)
            if not reader.reusable or self._rest or self._paused:  # also: answered before the request was all read
                self.close()
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
        """Take note that the connection broke; an answer that arrived before it did is an answer (RFC 9112, 9.6)."""
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

    # ------------------------------------------------------------------------------------------------ asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # "paused" is then the same as "holds bytes"
        self.has_news = _asker(self._transport.get_extra_info("socket").fileno())
        self.is_open = True

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the protocol's name
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._waiter is None:
            self.close()  # nobody asked for anything: no answer on this connection could be trusted
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


def _asker(descriptor: int) -> Callable[[], object]:
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return functools.partial(poll.poll, 0)
