"""A connection over TLS, which runs in memory so that the bytes of its records can be counted.

asyncio's TLS transport hides its buffer, so it does not tell whether the kernel took a record. It also does not tell a
regular end of the stream (close_notify) from a cut connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

from callsavvy_async.transport.native.connection import READ_SIZE, Connection, ConnectionState
from callsavvy_async.wire.failure import FailureKind

_HTTP_1 = "http/1.1"
_CLOSED = ConnectionState.CLOSED


class TLSConnection(Connection):
    """A connection over TLS. Call `do_handshake` before the first request.

    Args:
        loop: Event loop of the connection.
        on_closed: Called once, when it is closed.
        ssl_context: TLS settings.
        host: Host name that the certificate must have.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_closed: Callable[[Connection], None],
        ssl_context: ssl.SSLContext,
        host: str,
    ) -> None:
        super().__init__(loop, on_closed)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = ssl_context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._sealed = bytearray(READ_SIZE)
        self._sealed_view = memoryview(self._sealed)
        self._handshake: asyncio.Future[None] | None = None

    async def do_handshake(self) -> None:
        """Do the TLS handshake.

        Raises:
            OSError: The certificate was rejected (`ssl.SSLCertVerificationError`), or the handshake failed.
        """
        self._handshake = self._loop.create_future()
        self._step_handshake()
        try:
            await self._handshake
        finally:
            self._handshake = None

    def close(self) -> None:
        """See `Connection.close`. Sends close_notify if the connection is idle."""
        unused = self._waiter is None and self._handshake is None
        if unused and self.state is not _CLOSED and not self._transport.is_closing():
            with contextlib.suppress(ssl.SSLError):  # unwrap() does not wait for the peer's close_notify
                self._tls.unwrap()
            self._flush()
        super().close()

    def _step_handshake(self) -> None:
        handshake = self._handshake
        if handshake is None or handshake.done():
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert
            handshake.set_exception(error)
        else:
            self._flush()
            protocol = self._tls.selected_alpn_protocol()
            if protocol in {None, _HTTP_1}:
                handshake.set_result(None)
            else:
                handshake.set_exception(
                    ConnectionError(f"the server chose {protocol}; the SSLContext must offer only HTTP/1.1")
                )

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    def _write(self, data: bytes | memoryview) -> None:
        try:
            written = self._tls.write(data)
            while written < len(data):
                written += self._tls.write(memoryview(data)[written:])
        except ssl.SSLError as error:
            self._fail(FailureKind.CONNECTION_LOST, f"TLS: {error.reason}")
        else:
            super()._write(self._outgoing.read())

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        """See `asyncio.BufferedProtocol`."""
        return self._sealed

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._incoming.write(self._sealed_view[:nbytes])
        if self._handshake is not None:
            self._step_handshake()
            if self._handshake.done():
                self._decrypt()
            return
        self._decrypt()

    def _decrypt(self) -> None:
        tls, incoming = self._tls, self._incoming
        try:
            while self.state is not _CLOSED and (incoming.pending or tls.pending()):
                size = cast("int", tls.read(READ_SIZE, self._buffer))  # typeshed lacks this overload
                if size == 0:
                    self._end(clean=True)
                    return
                super().buffer_updated(size)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(FailureKind.CONNECTION_LOST, f"TLS: {error.reason}")
        if self.state is not _CLOSED:
            self._flush()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`. Without a close_notify the end may be an attack (RFC 8446, 6.1)."""
        self._end(clean=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_exception(exc or ConnectionError("closed in the TLS handshake"))
        super().connection_lost(exc)
