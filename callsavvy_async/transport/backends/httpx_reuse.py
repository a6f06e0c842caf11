"""Whether httpcore may use a connection again: not where anything lies behind the response.

httpcore uses an idle connection again when its socket has nothing to read. But what a server sent beyond a response may
have left the socket together with it: then it lies in the parser (h11), in TLS, or in the queue of anyio's stream. The
next request on that connection would get it for its response, and every later request the response of the one before.

httpcore and anyio hide these places, so this module knows their private names. Where it does not find one of them, the
connection is not used again: a new release of theirs may cost time, never a wrong response.
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
    "_stream",  # of httpx's and httpcore's streams, what they wrap; of httpcore's network streams, anyio's or trio's
    "_httpcore_stream",
    "_connection",
    "_h11_state",
    "_network_stream",
    "transport_stream",  # below TLS
    "_protocol",  # of anyio's sockets on asyncio
)


class _NetworkStream(Protocol):
    """What httpcore shows of a connection."""

    def get_extra_info(self, info: str) -> object: ...

    async def aclose(self) -> None: ...


def retire_unless_clean(response: httpx.Response, *, whole: bool) -> None:
    """Keep httpcore from using the connection of a response again, unless it is clean.

    Call it when the body was read, and before the response is closed. What does not come from httpcore over HTTP/1.1 is
    left alone.

    Args:
        response: whose connection it is.
        whole: whether the server has read the whole request.
    """
    stream: _NetworkStream | None = response.extensions.get("network_stream")
    if stream is None or not response.http_version.startswith("HTTP/1") or (whole and _is_clean(response, stream)):
        return
    descriptor = getattr(stream.get_extra_info("socket"), "fileno", lambda: -1)()
    if descriptor >= 0:
        with contextlib.suppress(OSError):  # the server was faster
            sock = socket.socket(fileno=descriptor)  # the socket of an event loop cannot be shut down
            try:
                sock.shutdown(socket.SHUT_RDWR)  # an idle socket that can be read from is what httpcore closes
            finally:
                sock.detach()


def _is_clean(response: httpx.Response, stream: _NetworkStream) -> bool:
    missing = {"trailing_data"}
    if stream.get_extra_info("ssl_object") is not None:
        missing.add("_ssl_object")
    if sniffio.current_async_library() == "asyncio":
        missing.add("read_queue")
    for part in _parts(response.stream):
        for name, holds_bytes in _PLACES.items():
            if hasattr(part, name):
                missing.discard(name)
                if holds_bytes(getattr(part, name)):
                    return False
    return not missing


def _parts(outermost: object) -> Iterator[object]:
    """Yield an object and what it is made of, from the outside in."""
    parts = [outermost]
    for part in parts:
        yield part
        parts += [inner for name in _INWARD if (inner := getattr(part, name, None)) is not None]


def _holds_plaintext(tls: ssl.SSLObject) -> bool:
    """Whether TLS has received more than was read from it. A byte of that is lost, and so is the connection."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:  # the end of the stream
        return True
    return True


_PLACES: dict[str, Callable[[Any], bool]] = {
    "trailing_data": lambda data: bool(data[0]),  # of h11: what it has not parsed, and whether the stream has ended
    "_ssl_object": _holds_plaintext,
    "read_queue": bool,
}
"""Where bytes may lie that were received, by the names of attributes."""


class HandshakeGuard:
    """Closes the socket of a TLS handshake that was cancelled, which httpcore leaves open. It is a "trace" extension."""

    def __init__(self) -> None:
        self._stream: _NetworkStream | None = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """See https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith("connect_tcp.complete"):
            self._stream = info["return_value"]
        elif event.endswith("start_tls.failed") and self._stream is not None:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
