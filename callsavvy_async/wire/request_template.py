"""The URL and the headers that all requests of one endpoint share, worked out once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import InvalidRequestError

_NOT_VISIBLE_ASCII = re.compile(r"[^\x21-\x7e]")
"""Characters that a request line must not hold (RFC 9112, 3.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
"""Characters that a header value must not hold (RFC 9110, 5.5). CR and LF would begin another line, or another request."""
_FRAMING = {
    "content-length",
    "transfer-encoding",
    "connection",
    "content-encoding",
    "expect",
    "upgrade",
    "trailer",
    "te",
}
"""Fields that decide where a request ends and what its body means (RFC 9112, 6 and 9)."""


@attrs.frozen(eq=False)  # compared by identity: the transport makes one template for each endpoint
class RequestTemplate:
    """The fixed part of a request.

    Attributes:
        url: Whole URL.
        headers: All header fields except ``content-length``.
        secure: True for TLS.
        host: Host to connect to. An IPv6 address has no brackets.
        port: Port to connect to.
        path: Path and query, as in the request line (RFC 9112, 3.2.1).
        origin: `secure`, `host` and `port`.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    secure: bool = attrs.field(repr=False)
    host: str = attrs.field(repr=False)
    port: int = attrs.field(repr=False)
    path: str = attrs.field(repr=False)
    origin: tuple[bool, str, int] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "origin", (self.secure, self.host, self.port))

    @classmethod
    def of(cls, url: str, headers: tuple[tuple[str, str], ...]) -> RequestTemplate:
        """Build a template.

        Args:
            url: Absolute http or https URL.
            headers: Fields of every request, including ``host``.

        Raises:
            InvalidRequestError: The URL or a field holds a character that HTTP does not allow there.
        """
        _check_characters(url, headers)
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(
            url,
            headers,
            secure,
            parts.hostname or "",
            parts.port or (443 if secure else 80),
            f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
        )

    def with_headers(self, headers: Mapping[str, str]) -> RequestTemplate:
        """Return a template with additional header fields.

        Raises:
            InvalidRequestError: A field holds a character that HTTP does not allow there, or the SDK sets the field itself.
        """
        _check_characters(self.url, tuple(headers.items()))
        taken = {name for name, _ in self.headers} | _FRAMING
        for name in headers:
            if name.lower() in taken:
                raise InvalidRequestError(f"the SDK sets the header field {name!r} itself; leave it out.")
        return attrs.evolve(self, headers=(*self.headers, *headers.items()))


def _check_characters(url: str, headers: tuple[tuple[str, str], ...]) -> None:
    odd = _NOT_VISIBLE_ASCII.search(url)
    if odd:
        raise InvalidRequestError(f"the URL of a request holds {odd[0]!r}; percent-encode it.")
    for name, value in headers:
        if _CONTROL.search(value) or _NOT_VISIBLE_ASCII.search(name) or ":" in name:
            raise InvalidRequestError(
                f"the header field {name!r} holds a character that HTTP does not allow; remove it."
            )
