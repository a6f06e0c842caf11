"""Prevent httpcore from reusing a connection with bytes after the response.

httpcore reuses an idle connection if its socket has nothing to read. But bytes after a response may have been read together
with it. Then they are in the parser (h11), in TLS, or in the queue of anyio's stream. The next request on that connection
would receive them as its response, and each later request would receive the response of the one before.

httpcore and anyio hide these buffers, so this module uses their private names. If one of them is missing, the connection
is not reused. So a new release of these libraries may cost time, but never delivers a wrong response.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import anyio
import httpx
import sniffio

_INWARD = (
    "_stream",  # wrapped stream of httpx and httpcore; anyio's or trio's stream in httpcore's network streams
    "_httpcore_stream",
    "_connection",
    "_h11_state",
    "_network_stream",
    "transport_stream",  # below TLS
    "_protocol",  # of anyio's sockets on asyncio
)


class _NetworkStream(Protocol):
    """The public interface of a connection in httpcore."""

    def get_extra_info(self, info: str) -> object: ...

    async def aclose(self) -> None: ...


def retire_unless_clean(response: httpx.Response, *, whole: bool) -> None:
    """Prevent httpcore from reusing the connection of a response, unless it is clean.

    Call it after the body was read, and before the response is closed. Connections that are not HTTP/1.1 of httpcore stay
    as they are.

    Args:
        response: Response on the connection.
        whole: True if the server has read the whole request.
    """
    stream: _NetworkStream | None = response.extensions.get("network_stream")
    if stream is None or not response.http_version.startswith("HTTP/1") or (whole and _is_clean(response, stream)):
        return
    descriptor = getattr(stream.get_extra_info("socket"), "fileno", lambda: -1)()
    if descriptor >= 0:
        with contextlib.suppress(OSError):  # the server has closed it first
            sock = socket.socket(fileno=descriptor)  # asyncio's socket has no shutdown()
            try:
                sock.shutdown(socket.SHUT_RDWR)  # makes it readable, and httpcore closes readable idle sockets
            finally:
                sock.detach()


def _is_clean(response: httpx.Response, stream: _NetworkStream) -> bool:
    missing = {"trailing_data"}
    if stream.get_extra_info("ssl_object") is not None:
        missing.add("_ssl_object")
    if sniffio.current_async_library() == "asyncio":
        missing.add("read_queue")
    for part in _parts(response.stream):
        for name, holds_bytes in _BUFFERS.items():
            if hasattr(part, name):
                missing.discard(name)
                if holds_bytes(getattr(part, name)):
                    return False
    return not missing


def _parts(outermost: object) -> Iterator[object]:
    """Yield a stream and the streams that it wraps, from the outside in."""
    parts = [outermost]
    for part in parts:
        yield part
        parts += [inner for name in _INWARD if (inner := getattr(part, name, None)) is not None]


def _holds_plaintext(tls: ssl.SSLObject) -> bool:
    """Return True if TLS holds unread bytes. The test loses one of them, so the connection is then unusable."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:  # the end of the stream
        return True
    return True


_BUFFERS: dict[str, Callable[[Any], bool]] = {
    "trailing_data": lambda data: bool(data[0]),  # h11's pair of unparsed bytes and end of stream
    "_ssl_object": _holds_plaintext,
    "read_queue": bool,
}
"""By attribute name: a function that returns True if that buffer holds received bytes."""


class HandshakeGuard:
    """A "trace" extension that closes the socket of a cancelled TLS handshake, which httpcore leaves open."""

    def __init__(self) -> None:
        self._stream: _NetworkStream | None = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """See https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith("connect_tcp.complete"):
            self._stream = info["return_value"]
        elif event.endswith("start_tls.failed") and self._stream is not None:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
