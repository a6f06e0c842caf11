"""TLS on a lane, spoken in memory: so the records of a request are counted like the bytes of a plain one.

asyncio's own TLS transport buffers on its own, and does not tell whether a record was taken; nor whether the end of a
stream was said by the peer (close_notify) or by somebody who cut the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import Callable
from typing import cast

from callsavvy_async.transport.backends.lane import READ_SIZE, Lane
from callsavvy_async.wire.failure import FailureKind

_HTTP_1 = "http/1.1"


class Trust:
    """The TLS settings that the lanes share.

    Loading certificates takes tens of milliseconds: it is done once, when first wanted, and off the event loop.

    Args:
        verify: True for the certificates that httpx trusts: those of SSL_CERT_FILE or SSL_CERT_DIR, else certifi's;
            False for none; or a context of one's own.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:  # noqa: FBT001 - as in httpx
        self._verify = verify
        self._loading = threading.Lock()
        self._context = verify if isinstance(verify, ssl.SSLContext) else None

    async def context(self) -> ssl.SSLContext:
        """Return the settings."""
        if self._context is None:
            return await asyncio.get_running_loop().run_in_executor(None, self._load)
        return self._context

    def _load(self) -> ssl.SSLContext:
        with self._loading:  # the first calls may come all at the same time
            if self._context is None:
                self._context = _trust_by_default() if self._verify else _trust_anybody()
            return self._context


def _trust_by_default() -> ssl.SSLContext:
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        import certifi  # noqa: PLC0415 - only where it is used

        file = certifi.where()
    context = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    context.set_alpn_protocols([_HTTP_1])
    return context


def _trust_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([_HTTP_1])
    return context


class TlsLane(Lane):
    """A connection over TLS. `shake_hands` comes first.

    Args:
        loop: its event loop.
        on_closed: called once, when it is closed.
        context: the TLS settings.
        host: whose certificate is wanted.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_closed: Callable[[Lane], None], context: ssl.SSLContext, host: str
    ) -> None:
        super().__init__(loop, on_closed)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._sealed = bytearray(READ_SIZE)
        self._sealed_view = memoryview(self._sealed)
        self._shaken: asyncio.Future[None] | None = None

    async def shake_hands(self) -> None:
        """Agree on keys.

        Raises:
            OSError: the peer's certificate was refused (`ssl.SSLCertVerificationError`), or the handshake broke.
        """
        self._shaken = self._loop.create_future()
        self._shake()
        try:
            await self._shaken
        finally:
            self._shaken = None

    def close(self) -> None:
        """See `Lane.close`; says goodbye where nothing is under way."""
        if self.is_open and self._waiter is None and self._shaken is None and not self._transport.is_closing():
            with contextlib.suppress(ssl.SSLError):  # it does not wait for the peer's goodbye
                self._tls.unwrap()
            self._flush()
        super().close()

    def _shake(self) -> None:
        shaken = self._shaken
        if shaken is None or shaken.done():
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert
            shaken.set_exception(error)
        else:
            self._flush()
            protocol = self._tls.selected_alpn_protocol()
            if protocol in {None, _HTTP_1}:
                shaken.set_result(None)
            else:
                shaken.set_exception(ConnectionError(f"the server chose {protocol}; the SSLContext must not offer it"))

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

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the protocol's name
        """See `asyncio.BufferedProtocol`."""
        return self._sealed

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._incoming.write(self._sealed_view[:nbytes])
        if self._shaken is not None:
            self._shake()
            if self._shaken.done():
                self._decrypt()
            return
        self._decrypt()

    def _decrypt(self) -> None:
        tls, incoming = self._tls, self._incoming
        try:
            while self.is_open and (incoming.pending or tls.pending()):
                size = cast("int", tls.read(READ_SIZE, self._buffer))  # typeshed knows the other form only
                if size == 0:
                    self._end(clean=True)
                    return
                super().buffer_updated(size)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(FailureKind.CONNECTION_LOST, f"TLS: {error.reason}")
        if self.is_open:
            self._flush()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`; without a close_notify the end may be a forgery (RFC 8446, 6.1)."""
        self._end(clean=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if self._shaken is not None and not self._shaken.done():
            self._shaken.set_exception(exc or ConnectionError("closed in the TLS handshake"))
        super().connection_lost(exc)
