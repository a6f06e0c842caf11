"""A webhook request as every server can give it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from callsavvy_async.webhooks.parsing import EventTooLargeError


@attrs.frozen(kw_only=True)
class WebhookRequest:
    """One HTTP request whose body is still to be read.

    Attributes:
        token: what follows the webhooks' own path, without the slash before it.
        method: of HTTP.
        headers: names in lower case.
        peer: address at the other end of the connection.
        next_chunk: gives the body as it comes, and nothing (b"") at its end.
    """

    token: str = attrs.field(repr=False)
    method: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    peer: str | None
    next_chunk: Callable[[], Awaitable[bytes]] = attrs.field(repr=False)

    @property
    def content_type(self) -> str | None:
        """The header of that name."""
        return self._header("content-type")

    async def read(self, *, limit: int) -> bytes:
        """Read the body to its end. What its Content-Length says is believed only where it says too much.

        Raises:
            EventTooLargeError: as soon as it is known to be larger than the limit, in bytes.
        """
        declared = self._header("content-length") or ""
        if declared.isdecimal() and (len(declared) > len(str(limit)) or int(declared) > limit):
            raise EventTooLargeError(f"the body is said to have more than {limit} bytes.")
        body = bytearray()
        while chunk := await self.next_chunk():
            if len(body) + len(chunk) > limit:
                raise EventTooLargeError(f"the body has more than {limit} bytes.")
            body += chunk
        return bytes(body)

    def _header(self, wanted: str) -> str | None:
        return next((value for name, value in self.headers if name == wanted), None)
