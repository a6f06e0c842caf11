"""A webhook's HTTP request, independent of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from callsavvy_async.webhooks.parsing import EventTooLargeError


@attrs.frozen(kw_only=True)
class WebhookRequest:
    """An HTTP request whose body is not read yet.

    Attributes:
        token: Path below the webhooks' mount point, without its leading slash.
        method: HTTP method.
        headers: Header fields, names in lower case.
        peer: Address at the other end of the connection. None if unknown.
        next_chunk: Returns the next chunk of the body, and ``b""`` at its end.
    """

    token: str = attrs.field(repr=False)
    method: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    peer: str | None
    next_chunk: Callable[[], Awaitable[bytes]] = attrs.field(repr=False)

    @property
    def content_type(self) -> str | None:
        """The Content-Type header. None if absent."""
        return self._header("content-type")

    async def read(self, *, limit: int) -> bytes:
        """Read the whole body, of at most `limit` bytes.

        Raises:
            EventTooLargeError: The body, or its Content-Length, exceeds the limit.
        """
        declared = self._header("content-length") or ""
        if declared.isdecimal() and (len(declared) > len(str(limit)) or int(declared) > limit):
            raise EventTooLargeError(f"the Content-Length exceeds {limit} bytes, the maximum.")
        body = bytearray()
        while chunk := await self.next_chunk():
            if len(body) + len(chunk) > limit:
                raise EventTooLargeError(f"the body has more than {limit} bytes, the maximum.")
            body += chunk
        return bytes(body)

    def _header(self, wanted: str) -> str | None:
        for name, value in self.headers:
            if name == wanted:
                return value
        return None
